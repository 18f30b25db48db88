"""Functions of Unity Catalog, called in a statement as the caller: EXECUTE, and what Unity Catalog enforces, decide.

The statement holds the function's name and the names of its parameters, as Unity Catalog tells them. Values travel as
parameters of the statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from databricks.sdk.service.catalog import ColumnTypeName, FunctionParameterInfo
from databricks.sdk.service.sql import StatementParameterListItem

from tools.errors import QueryRefusedError
from tools.messages import Said, rows_said
from tools.unity.guard import quoted
from tools.unity.read import Read
from tools.unity.values import collected
from tools.workspace.access import Access, full_name, tool_name, workspace_tool
from tools.workspace.sources import FUNCTION, function_fingerprint, function_info, function_sources, source_of

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

_INTEGER = {ColumnTypeName.BYTE, ColumnTypeName.SHORT, ColumnTypeName.INT, ColumnTypeName.LONG}
_NUMBER = {ColumnTypeName.FLOAT, ColumnTypeName.DOUBLE, ColumnTypeName.DECIMAL}
_TEXT = {ColumnTypeName.STRING, ColumnTypeName.CHAR}
_OTHER = {
    ColumnTypeName.BOOLEAN,
    ColumnTypeName.DATE,
    ColumnTypeName.TIMESTAMP,
    ColumnTypeName.TIMESTAMP_NTZ,
}
# What a statement's parameter can be.
_SINGLE = _INTEGER | _NUMBER | _TEXT | _OTHER


def function_tools(access: Access, function: str) -> list[BaseTool]:
    """Return the tool that calls a function, named as `catalog.schema.function`.

    Raises:
        CatalogError: The caller may not call it, or a parameter that it needs cannot be given.
    """
    name = full_name(function, "a function")
    info = function_info(access.client, name)
    parameters = sorted((info.input_params.parameters if info.input_params else None) or (), key=lambda p: p.position)
    usable = [each for each in parameters if each.type_name in _SINGLE]
    for each in parameters:
        if each not in usable and each.parameter_default is None:
            raise QueryRefusedError(
                f"The function {quoted(name)} cannot be a tool: its parameter {each.name} is {each.type_text}."
            )
    schema = {
        "type": "object",
        "properties": {each.name: _described(each) for each in usable},
        "required": [each.name for each in usable if each.parameter_default is None],
    }

    def work(arguments: dict[str, Any]) -> Said:
        given = _given(usable, arguments)
        # Asked again at each call: it may have been replaced.
        now = function_info(access.client, name)
        label = (source_of(FUNCTION, ".".join(name)), function_fingerprint(now, access.user))
        read = Read(function_sources(now, name), frozenset({label}))
        passed = ", ".join(f"{quoted([each.name])} => :{item.name}" for each, item in given)
        call = f"{quoted(name)}({passed})"
        is_table = info.data_type is ColumnTypeName.TABLE_TYPE
        sql = f"select * from {call}" if is_table else f"select {call} as result"  # noqa: S608 - names, spelled for SQL
        with access.statements.run(sql, read, [item for _, item in given]) as result:
            return rows_said(collected(result, access.limits, read))

    told = f"Call the function {quoted(name)}. {info.comment or ''}".strip()
    return [workspace_tool(tool_name("function", name), told, schema, work)]


def _described(parameter: FunctionParameterInfo) -> dict[str, str]:
    kind = "string"
    if parameter.type_name in _INTEGER:
        kind = "integer"
    elif parameter.type_name in _NUMBER:
        kind = "number"
    elif parameter.type_name is ColumnTypeName.BOOLEAN:
        kind = "boolean"
    told = " ".join(filter(None, [parameter.comment, None if kind != "string" else f"({parameter.type_text})"]))
    return {"type": kind, "description": told} if told else {"type": kind}


def _given(
    parameters: list[FunctionParameterInfo], arguments: dict[str, Any]
) -> list[tuple[FunctionParameterInfo, StatementParameterListItem]]:
    known = {each.name for each in parameters}
    if unknown := sorted(set(arguments) - known):
        raise QueryRefusedError(f"The function was not called: it has no parameter {unknown[0]}.")
    given = []
    for position, each in enumerate(parameters):
        if each.name not in arguments:
            if each.parameter_default is None:
                raise QueryRefusedError(f"The function was not called: its parameter {each.name} is missing.")
            continue
        value = arguments[each.name]
        if isinstance(value, list | dict):
            raise QueryRefusedError(f"The function was not called: its parameter {each.name} takes one value.")
        kind = "STRING" if each.type_name in _TEXT else each.type_text.upper()
        given.append((each, StatementParameterListItem(f"p{position}", kind, _text(value))))
    return given


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

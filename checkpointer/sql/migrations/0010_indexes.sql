-- Smaller indexes. Variables (psql's): schema.

-- A thread's keys ascend and rows are never moved, so room that is left in a full page is seldom used.
alter index :"schema".items_pkey set (fillfactor = 100);
alter index :"schema".checkpoints_pkey set (fillfactor = 100);
alter index :"schema".checkpoints_thread_seq_key set (fillfactor = 100);
alter index :"schema".writes_pkey set (fillfactor = 100);

-- Feedback is looked for by its thread, which its key begins with, and all of it by who erases a person.
drop index :"schema".feedback_owner;
drop index :"schema".feedback_rater;

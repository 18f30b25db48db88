"""Evaluation: questions with expectations that SQL computes, asked through the real agent, judged by rules."""

"""What was said in one session, the file it is kept in, and the text in it."""

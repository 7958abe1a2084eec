//! The server against the real `ssh` and `git`, as users have them, and against what no client would send.

mod harness;

mod clones;
mod hostile;
mod keys;
mod leaving;
mod pushes;
mod refusals;

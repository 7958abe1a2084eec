mod harness;
mod large;
mod pulls;
mod pushes;
mod transfers;

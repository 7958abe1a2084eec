mod harness;
mod large;
mod pulls;
mod pushes;
mod secrets;
mod transfers;

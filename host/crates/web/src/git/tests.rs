mod harness;
mod large;
mod pushes;
mod transfers;

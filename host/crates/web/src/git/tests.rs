mod harness;
mod pushes;
mod transfers;

//! Clients against servers that do exactly what a script says.

mod answers;
mod failures;
mod leader;
mod script;
mod transfers;

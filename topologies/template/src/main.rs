//! A small topology: a spout, a ten-line bolt, and a bolt that prints.

fn main() {
    println!("hello from a topology to be");
}

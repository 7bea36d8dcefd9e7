//! quorate.
fn main(){}

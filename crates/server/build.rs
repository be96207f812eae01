//! Has the crate compiled anew when the console was built anew: new files have new names, which no
//! `include_bytes` knows.

fn main() {
    println!("cargo::rerun-if-changed=../../console/dist");
}

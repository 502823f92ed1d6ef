//! Has a target link only what it checks: libFuzzer looks at the counters of all that is linked after
//! each execution.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bins=-Wl,-z,start-stop-gc");
}

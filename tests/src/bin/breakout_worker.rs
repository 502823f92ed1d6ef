//! A worker that tries to get at what isn't its own: when it is called, or, told so by its first
//! argument, before it serves at all.

use std::path::Path;
use std::process::ExitCode;

use reedbed_tests::breakout::attempts;
use reedbed_tests::modules::{arrays, control};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["at-once", host, secret] = arguments[..] {
        at_once(host.parse().unwrap_or_default(), secret.as_ref());
    }
    if let ["again"] = arguments[..] {
        println!("became itself");
    }
    reedbed_worker::serve(&[attempts::MODULE, arrays::MODULE, control::MODULE])
}

/// Tries while nothing of reedbed's has run in this process, and prints the system's errors.
fn at_once(host: u32, secret: &Path) {
    let print = |what: &str, errno: i32| println!("{what} {errno}");
    print("read", attempts::read(secret).err().unwrap_or(0));
    print(
        "memory",
        attempts::read_memory_file(host, 0).err().unwrap_or(0),
    );
    print("trace", attempts::trace(host).err().unwrap_or(0));
    print("signal", attempts::signal(host).err().unwrap_or(0));
    print("socket", attempts::datagrams().err().unwrap_or(0));
    print("fork", attempts::fork().err().unwrap_or(0));
    let another = attempts::become_another("/bin/true".as_ref(), Vec::new());
    print("exec", another.err().unwrap_or(0));
    let itself = std::env::current_exe().unwrap_or_default();
    let again = attempts::become_another(&itself, vec!["again".to_owned()]);
    print("again", again.err().unwrap_or(0));
}

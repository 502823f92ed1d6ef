//! Processes that a test worker starts, and doesn't wait for.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use reedbed::remote_module;

/// Functions that start processes; each returns its number.
#[remote_module]
pub mod offspring {
    use std::path::PathBuf;
    use std::process::Command;

    /// Starts one that sleeps.
    pub fn sleep() -> u32 {
        let child = Command::new("sleep").arg("600").spawn();
        child.expect("there is `sleep`").id()
    }

    /// Starts one that leaves this worker's process group and session, and sleeps.
    pub fn sleep_apart() -> u32 {
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", "echo; exec sleep 600"]);
        super::start(command)
    }

    /// Starts one that SIGTERM doesn't end, and that removes the file when this worker is no more.
    pub fn tidy(path: PathBuf) -> u32 {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; echo; read line; rm \"$0\""]);
        command.arg(path);
        super::start(command)
    }
}

/// Starts a command whose input ends with this process, and waits until it has printed a line.
fn start(mut command: Command) -> u32 {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program is there");
    let output = child.stdout.take().expect("piped");
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).expect("a line");
    let id = child.id();
    // Its input stays open.
    std::mem::forget(child);
    id
}

//! Programs that tests write.
//!
//! A process must not write a file and then run it while it has other threads: a process that one of
//! them forks holds the file open for writing until it runs a program of its own, and meanwhile the
//! kernel refuses to run the file ("text file busy"). So another process writes it.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Writes a program of the shell's.
///
/// # Errors
///
/// The file can't be written.
pub fn script(path: &Path, commands: &str) -> io::Result<()> {
    let mut writer = Command::new("/bin/sh")
        .args(["-c", r#"cat > "$0" && chmod 755 "$0""#])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()?;
    let text = format!("#!/bin/sh\n{commands}");
    let written = writer
        .stdin
        .take()
        .map(|mut file| file.write_all(text.as_bytes()));
    done(writer.wait()?, path)?;
    written.unwrap_or(Ok(()))
}

/// Copies a program.
///
/// # Errors
///
/// It can't be read, or its copy can't be written.
pub fn copy(program: impl AsRef<Path>, path: &Path) -> io::Result<()> {
    let status = Command::new("cp")
        .arg(program.as_ref())
        .arg(path)
        .status()?;
    done(status, path)
}

fn done(status: ExitStatus, path: &Path) -> io::Result<()> {
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the program {} was not written: {status}",
        path.display()
    )))
}

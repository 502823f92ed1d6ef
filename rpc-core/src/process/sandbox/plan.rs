//! What the launcher is told: entries that end with a zero byte, each begun by a letter.
//!
//! It travels in a memfd, as the first message of the channel: the environment may hold secrets, and
//! arguments are there for everybody to read.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::Sandbox;
use super::error::SandboxError;

/// What the plan begins with, and the message that brings it says. Another version has another one.
pub(super) const MAGIC: &[u8] = b"reedbed sandbox 1";

/// The longest plan that a launcher reads.
pub(super) const LONGEST_BYTES: u64 = 16 << 20;

/// What to run, and in which sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) sandbox: Sandbox,
    /// Files that the worker loads.
    pub(super) libraries: Vec<PathBuf>,
    pub(super) program: PathBuf,
    /// The name by which it is run.
    pub(super) name: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
}

impl Plan {
    /// Writes a plan.
    ///
    /// # Errors
    /// [`SandboxError::ZeroByte`]: what follows one would be an entry of its own, which may allow more.
    pub(super) fn write(&self) -> Result<Vec<u8>, SandboxError> {
        let mut bytes = [MAGIC, b"\0"].concat();
        let mut entry = |tag: u8, texts: &[&OsStr]| {
            bytes.push(tag);
            for text in texts {
                check(tag, texts[0], text)?;
                bytes.extend_from_slice(text.as_bytes());
            }
            bytes.push(0);
            Ok::<_, SandboxError>(())
        };
        let Sandbox {
            read,
            write,
            execute,
            launcher: _,
            is_best_effort,
        } = &self.sandbox;
        for (tag, paths) in [
            (b'r', read),
            (b'w', write),
            (b'x', execute),
            (b'l', &self.libraries),
        ] {
            for path in paths {
                entry(tag, &[path.as_os_str()])?;
            }
        }
        if *is_best_effort {
            entry(b'b', &[])?;
        }
        entry(b'p', &[self.program.as_os_str()])?;
        entry(b'n', &[&self.name])?;
        for text in &self.arguments {
            entry(b'a', &[text])?;
        }
        for (variable, value) in &self.environment {
            entry(b'e', &[variable, OsStr::new("="), value])?;
        }
        Ok(bytes)
    }

    /// Reads a plan; `None` if it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let entries = bytes.strip_prefix(MAGIC)?.strip_prefix(b"\0")?;
        if entries.is_empty() {
            return None;
        }
        let mut plan = Self::default();
        for entry in entries.strip_suffix(b"\0")?.split(|byte| *byte == 0) {
            let (tag, text) = entry.split_first()?;
            let text = OsString::from_vec(text.to_vec());
            match tag {
                b'r' => plan.sandbox.read.push(text.into()),
                b'w' => plan.sandbox.write.push(text.into()),
                b'x' => plan.sandbox.execute.push(text.into()),
                b'l' => plan.libraries.push(text.into()),
                b'b' => plan.sandbox.is_best_effort = true,
                b'p' => plan.program = text.into(),
                b'n' => plan.name = text,
                b'a' => plan.arguments.push(text),
                b'e' => plan.environment.push(variable(text.as_bytes())?),
                _ => return None,
            }
        }
        (!plan.program.as_os_str().is_empty()).then_some(plan)
    }
}

/// Checks that a text is one entry, or a part of one that begins with `first`.
fn check(tag: u8, first: &OsStr, text: &OsStr) -> Result<(), SandboxError> {
    if !text.as_bytes().contains(&0) {
        return Ok(());
    }
    let kind = match tag {
        b'a' => "argument",
        b'e' => "variable",
        b'p' | b'n' => "program",
        _ => "path",
    };
    Err(SandboxError::ZeroByte {
        what: format!("{kind} {first:?}"),
    })
}

/// Splits `name=value`. A name may begin with the sign, as the system's own do.
fn variable(text: &[u8]) -> Option<(OsString, OsString)> {
    let at = 1 + text.get(1..)?.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (text.get(..at)?, text.get(at + 1..)?);
    Some((
        OsString::from_vec(name.to_vec()),
        OsString::from_vec(value.to_vec()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let odd = OsString::from_vec(vec![b'/', 0xff, b'\n', b'=']);
        Plan {
            sandbox: Sandbox::new()
                .read("/in")
                .read(odd.clone())
                .write("/out")
                .execute("/bin/true")
                .best_effort(),
            libraries: vec!["lib.so".into()],
            program: "/bin/worker".into(),
            name: "worker".into(),
            arguments: vec![OsString::new(), "-n".into(), odd.clone()],
            environment: vec![("A".into(), "b=c".into()), ("EMPTY".into(), "".into())],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Plan::read(&plan().write().unwrap()), Some(plan()));
    }

    #[test]
    fn what_would_be_two_entries_is_refused() {
        let text = || OsString::from("a\0w/");
        let what = |plan: Plan| plan.write().unwrap_err().to_string();
        let mut others = plan();
        others.environment.push(("NAME".into(), text()));
        assert!(what(others).starts_with("variable \"NAME\" has a zero byte"));
        let mut others = plan();
        others.environment.push((text(), "value".into()));
        assert!(what(others).starts_with("variable \"a\\0w/\""));
        let mut others = plan();
        others.arguments.push(text());
        assert!(what(others).starts_with("argument \"a\\0w/\""));
        let mut others = plan();
        others.sandbox = others.sandbox.read(text());
        assert!(what(others).starts_with("path \"a\\0w/\""));
    }

    #[test]
    fn half_a_plan_is_none() {
        let whole = plan().write().unwrap();
        let program = b"p/bin/worker\0";
        let position = whole.windows(program.len()).position(|at| at == program);
        let with_program = position.expect("the program") + program.len();
        for len in 0..whole.len() {
            let read = Plan::read(&whole[..len]);
            // What ends between two entries, after the program, can't be told from a shorter plan;
            // the memfd is sealed, so that it can't come about.
            let is_whole = len >= with_program && whole[len - 1] == 0;
            assert_eq!(read.is_some(), is_whole, "{len} bytes");
        }
        assert_eq!(Plan::read(&[&whole[..], b"?\0"].concat()), None);
        assert_eq!(Plan::read(&[&whole[..], b"enothing\0"].concat()), None);
    }
}

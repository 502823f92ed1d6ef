//! Another process of this program, which does what each line of its input says.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::str::FromStr;

use crate::Outcome;

/// Such a process. Without input, it ends.
#[derive(Debug)]
pub(crate) struct Peer {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts one with these arguments and variables of the environment.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Outcome<Self> {
        let mut process = Command::new("/proc/self/exe")
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = process.stdin.take();
        let answers = process.stdout.take().ok_or("a process without an output")?;
        Ok(Self {
            process,
            orders,
            answers: BufReader::new(answers),
        })
    }

    /// Has it do something; returns what it answers.
    pub(crate) fn ask<T: FromStr<Err: std::error::Error + 'static>>(
        &mut self,
        order: &str,
    ) -> Outcome<T> {
        let orders = self.orders.as_mut().ok_or("a process without an input")?;
        writeln!(orders, "{order}")?;
        self.answer()
    }

    /// Reads the next line that it says.
    pub(crate) fn answer<T: FromStr<Err: std::error::Error + 'static>>(&mut self) -> Outcome<T> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(format!("a process ended with {}", self.process.wait()?).into());
        }
        Ok(line.trim_end().parse()?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.process.wait();
    }
}

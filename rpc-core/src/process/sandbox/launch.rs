//! The launcher: a process that confines itself, and then becomes the worker.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::error::SandboxError;
use super::inside::VARIABLE;
use super::plan::{LONGEST_BYTES, MAGIC, Plan};
use super::{calls, descriptors, files};
use crate::channel::handshake;
use crate::channel::socket::{Attachment, Received, Socket};
use crate::process::serve;

/// The argument by which a program knows that it is to be a launcher.
pub(in crate::process) const MARKER: &str = "--reedbed-sandbox";

/// The status of a launcher that couldn't confine itself, and has said why on standard error:
/// `EX_OSERR` of `sysexits.h`.
pub(super) const CANNOT_CONFINE: i32 = 71;

/// Becomes the worker that a host wants sandboxed, if this process was started for that; returns
/// otherwise. `reedbed_worker::init![..]` and the stock worker call it first.
pub fn launch_if_asked() {
    let is_asked = std::env::args_os()
        .nth(1)
        .is_some_and(|asked| asked == MARKER);
    if !is_asked {
        return;
    }
    let Err(error) = launch();
    eprintln!("{}", with_sources(&error));
    std::process::exit(CANNOT_CONFINE);
}

/// How long a launcher waits for its plan.
const PLAN_TIMEOUT: Duration = Duration::from_secs(30);

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn launch() -> Result<Infallible, SandboxError> {
    let plan = receive()?;
    descriptors::keep_to_self()?;
    // A core dump would write what the worker was lent into a file.
    let nothing = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, nothing)?;
    rustix::thread::set_no_new_privs(true)?;
    // Computed while files can be opened.
    let filters = calls::filters(&plan.sandbox)?;
    // Before the capabilities are gone, in whose light these paths were named.
    let is_whole = files::confine(&plan)?;
    if !is_whole {
        eprintln!(
            "the sandbox is less than asked for: this kernel's landlock enforces a part of it alone"
        );
    }
    give_capabilities_up()?;
    for filter in &filters {
        seccompiler::apply_filter(filter).map_err(calls::unfit)?;
    }

    let mut command = Command::new(&plan.program);
    command.arg0(&plan.name).args(&plan.arguments);
    command.env_clear().envs(plan.environment);
    let may_execute = !plan.sandbox.execute.is_empty();
    command.env(VARIABLE, if may_execute { "execute" } else { "" });
    Err(SandboxError::Program {
        source: command.exec(),
        program: plan.program,
    })
}

/// Receives the first message, and leaves those that follow to the worker.
fn receive() -> Result<Plan, SandboxError> {
    let stdin = io::stdin();
    if !serve::is_channel(&stdin) {
        return Err(SandboxError::NoHost);
    }
    let socket = Socket::new(stdin.as_fd().try_clone_to_owned()?);
    let mut message = [0; MAGIC.len() + 1];
    // The host sends it once it has limited this process.
    let mut fds = [PollFd::new(&socket, PollFlags::IN)];
    handshake::poll(&mut fds, Some(PLAN_TIMEOUT))?;
    let received = socket.try_receive(&mut message);
    let Ok(Received::Message {
        len,
        attachment: Attachment::Some(memfd),
    }) = received
    else {
        return Err(SandboxError::Plan);
    };
    if &message[..len] != MAGIC {
        return Err(SandboxError::Plan);
    }
    let file = File::from(memfd);
    let mut bytes = Vec::new();
    // The file's own position is at its end, where the host has written last.
    let len = file.metadata()?.len().min(LONGEST_BYTES);
    bytes.resize(usize::try_from(len).map_err(io::Error::other)?, 0);
    file.read_exact_at(&mut bytes, 0)?;
    Plan::read(&bytes).ok_or(SandboxError::Plan)
}

/// Gives up what a host of root's could do beyond its files. Without new privileges, no program that
/// is run later has them again.
fn give_capabilities_up() -> io::Result<()> {
    let nothing = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::clear_ambient_capability_set()?;
    Ok(rustix::thread::set_capabilities(None, nothing)?)
}

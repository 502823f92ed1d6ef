//! What a worker tries that means harm to its host, and what the system says to it.
//!
//! Each function really tries, and undoes nothing. The number that one returns is the system's
//! error. All of them succeed in a worker without a sandbox that runs as its host's user, which is how
//! a test knows that it was the sandbox that refused.
//!
//! # Invariants
//! 1. A system call gets numbers, and addresses of memory that lives, and is as long as the call
//!    takes it to be, until it returns. None of those that are made here keeps an address.
//! 2. What maps or protects pages (`pages`) does so with pages that were mapped by such a call, which
//!    nothing refers to.

use reedbed::remote_module;

/// Attempts.
#[remote_module]
pub mod attempts {
    use std::fs::{self, File, OpenOptions};
    use std::io::{self, Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
    use std::os::fd::{AsFd, AsRawFd};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::fs::FileExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
    use std::path::{Path, PathBuf};

    use rustix::fs::CWD;

    use super::{call, errno};

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Vec<u8>, i32> {
        fs::read(path).map_err(errno)
    }

    /// Lists a folder.
    pub fn list(path: &Path) -> Result<u32, i32> {
        let entries = fs::read_dir(path).map_err(errno)?;
        Ok(u32::try_from(entries.count()).unwrap_or(u32::MAX))
    }

    /// Writes a file that is there.
    pub fn write(path: &Path, bytes: Vec<u8>) -> Result<(), i32> {
        let mut file = OpenOptions::new().write(true).open(path).map_err(errno)?;
        file.write_all(&bytes).map_err(errno)
    }

    /// Makes a file.
    pub fn create(path: &Path) -> Result<(), i32> {
        File::create_new(path).map(drop).map_err(errno)
    }

    /// Removes a file.
    pub fn remove(path: &Path) -> Result<(), i32> {
        fs::remove_file(path).map_err(errno)
    }

    /// Cuts a file off.
    pub fn truncate(path: &Path) -> Result<(), i32> {
        let path = super::c_string(path);
        call(libc::SYS_truncate, [path.as_ptr().addr(), 0, 0, 0, 0, 0]).map(drop)
    }

    /// Makes a second name of a file.
    pub fn link(from: &Path, to: PathBuf) -> Result<(), i32> {
        fs::hard_link(from, to).map_err(errno)
    }

    /// Makes a link to a file.
    pub fn symlink(from: &Path, to: PathBuf) -> Result<(), i32> {
        std::os::unix::fs::symlink(from, to).map_err(errno)
    }

    /// Makes a device, `/dev/null` under another name.
    pub fn make_device(path: &Path) -> Result<(), i32> {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        let null = rustix::fs::makedev(1, 3);
        let kind = rustix::fs::FileType::CharacterDevice;
        rustix::fs::mknodat(CWD, path, kind, mode, null).map_err(|error| error.raw_os_error())
    }

    /// Has everybody read and write a file.
    pub fn open_up(path: &Path) -> Result<(), i32> {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).map_err(errno)
    }

    /// Asks something of a file that is open for reading, by a request of `ioctl`. Where the request
    /// takes a number, that is `number`.
    pub fn request(path: &Path, request: u64, number: u32) -> Result<(), i32> {
        // As long as a request can say that its argument is.
        let mut argument = vec![0u32; 1 << 12];
        argument[0] = number;
        let file = File::open(path).map_err(errno)?;
        let (fd, argument) = (file.as_raw_fd(), argument.as_mut_ptr().addr());
        let request = usize::try_from(request).map_err(|_| libc::EINVAL)?;
        let arguments = [super::sign(fd), request, argument, 0, 0, 0];
        call(libc::SYS_ioctl, arguments).map(drop)
    }

    /// Sets the mode of a file that it has opened.
    pub fn set_mode(path: &Path, mode: u32) -> Result<(), i32> {
        let file = File::open(path).map_err(errno)?;
        let fd = super::sign(file.as_raw_fd());
        call(libc::SYS_fchmod, [fd, mode as usize, 0, 0, 0, 0]).map(drop)
    }

    /// Tells the kernel how long a file that it has opened will be kept, for all who have it open.
    pub fn hint(path: &Path) -> Result<(), i32> {
        const F_SET_RW_HINT: usize = 1036;
        let (file, hint) = (File::open(path).map_err(errno)?, 0u64);
        let (fd, hint) = (super::sign(file.as_raw_fd()), (&raw const hint).addr());
        call(libc::SYS_fcntl, [fd, F_SET_RW_HINT, hint, 0, 0, 0]).map(drop)
    }

    /// Pretends that a file was never touched.
    pub fn date_back(path: &Path) -> Result<(), i32> {
        let path = super::c_string(path);
        let times = [0i64; 4];
        let (path, times) = (path.as_ptr().addr(), times.as_ptr().addr());
        let folder = super::sign(libc::AT_FDCWD);
        call(libc::SYS_utimensat, [folder, path, times, 0, 0, 0]).map(drop)
    }

    /// Connects to a port of this machine.
    pub fn connect(port: u16) -> Result<(), i32> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .map(drop)
            .map_err(errno)
    }

    /// Listens at any port.
    pub fn listen() -> Result<(), i32> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .map(drop)
            .map_err(errno)
    }

    /// Opens a socket for datagrams.
    pub fn datagrams() -> Result<(), i32> {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .map(drop)
            .map_err(errno)
    }

    /// Connects to a socket that has a path.
    pub fn connect_unix(path: &Path) -> Result<(), i32> {
        UnixStream::connect(path).map(drop).map_err(errno)
    }

    /// Connects to a socket that has a name alone.
    pub fn connect_abstract(name: String) -> Result<(), i32> {
        let address = SocketAddr::from_abstract_name(name).map_err(errno)?;
        UnixStream::connect_addr(&address).map(drop).map_err(errno)
    }

    /// Listens at a path.
    pub fn listen_unix(path: &Path) -> Result<(), i32> {
        UnixListener::bind(path).map(drop).map_err(errno)
    }

    /// Sends a datagram to a path, from a pair of sockets that was never connected to it.
    pub fn send_from_a_pair(path: &Path) -> Result<(), i32> {
        use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
        let kind = SocketType::DGRAM;
        let raw = |error: rustix::io::Errno| error.raw_os_error();
        let pair = rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
        let (socket, _other) = pair.map_err(raw)?;
        let address = SocketAddrUnix::new(path).map_err(raw)?;
        let sent = rustix::net::sendto(&socket, b"out", SendFlags::NOSIGNAL, &address);
        sent.map(drop).map_err(raw)
    }

    /// Opens a socket to the kernel's routing tables.
    pub fn netlink() -> Result<(), i32> {
        let family = super::sign(libc::AF_NETLINK);
        call(
            libc::SYS_socket,
            [family, super::sign(libc::SOCK_RAW), 0, 0, 0, 0],
        )
        .map(drop)
    }

    /// Opens a socket that makes up packets.
    pub fn raw_socket() -> Result<(), i32> {
        let (family, protocol) = (super::sign(libc::AF_INET), super::sign(libc::IPPROTO_ICMP));
        let kind = super::sign(libc::SOCK_RAW);
        call(libc::SYS_socket, [family, kind, protocol, 0, 0, 0]).map(drop)
    }

    /// Makes a pair of connected streams, which reaches nobody.
    pub fn stream_pair() -> Result<(), i32> {
        UnixStream::pair().map(drop).map_err(errno)
    }

    /// Reads another process's memory through its file.
    pub fn read_memory_file(process: u32, address: u64) -> Result<Vec<u8>, i32> {
        let file = File::open(format!("/proc/{process}/mem")).map_err(errno)?;
        let mut bytes = vec![0; 16];
        file.read_exact_at(&mut bytes, address).map_err(errno)?;
        Ok(bytes)
    }

    /// Writes another process's memory through its file.
    pub fn write_memory_file(process: u32, address: u64, bytes: Vec<u8>) -> Result<(), i32> {
        let file = OpenOptions::new()
            .write(true)
            .open(format!("/proc/{process}/mem"));
        file.map_err(errno)?
            .write_all_at(&bytes, address)
            .map_err(errno)
    }

    /// Reads another process's memory by a system call.
    pub fn read_memory(process: u32, address: u64) -> Result<Vec<u8>, i32> {
        let mut bytes = vec![0u8; 16];
        super::vm(libc::SYS_process_vm_readv, process, &mut bytes, address)?;
        Ok(bytes)
    }

    /// Writes another process's memory by a system call.
    pub fn write_memory(process: u32, address: u64, mut bytes: Vec<u8>) -> Result<(), i32> {
        super::vm(libc::SYS_process_vm_writev, process, &mut bytes, address)
    }

    /// Begins to trace another process.
    pub fn trace(process: u32) -> Result<(), i32> {
        const PTRACE_SEIZE: usize = 0x4206;
        call(
            libc::SYS_ptrace,
            [PTRACE_SEIZE, process as usize, 0, 0, 0, 0],
        )
        .map(drop)
    }

    /// Asks whether another process could be signalled.
    pub fn signal(process: u32) -> Result<(), i32> {
        call(libc::SYS_kill, [process as usize, 0, 0, 0, 0, 0]).map(drop)
    }

    /// The same by a descriptor of it.
    pub fn signal_by_descriptor(process: u32) -> Result<(), i32> {
        let pidfd = super::pidfd(process)?;
        let arguments = [super::sign(pidfd.as_raw_fd()), 0, 0, 0, 0, 0];
        call(libc::SYS_pidfd_send_signal, arguments).map(drop)
    }

    /// Names another process as the one that the kernel signals when a pipe has news.
    pub fn have_the_kernel_signal(process: u32) -> Result<(), i32> {
        const F_SETOWN: usize = 8;
        let (reader, _writer) = io::pipe().map_err(errno)?;
        let fd = super::sign(reader.as_raw_fd());
        call(libc::SYS_fcntl, [fd, F_SETOWN, process as usize, 0, 0, 0]).map(drop)
    }

    /// Changes another process's limits.
    pub fn limit(process: u32) -> Result<(), i32> {
        let mut limit = [0u64; 2];
        let [resource, old] = [libc::RLIMIT_CORE as usize, limit.as_mut_ptr().addr()];
        let arguments = [process as usize, resource, 0, old, 0, 0];
        call(libc::SYS_prlimit64, arguments).map(drop)
    }

    /// Has another process run where it runs already.
    pub fn pin(process: u32) -> Result<(), i32> {
        let pid = rustix::process::Pid::from_raw(process.cast_signed());
        let set = rustix::thread::sched_getaffinity(pid).map_err(|error| error.raw_os_error())?;
        let set = rustix::thread::sched_setaffinity(pid, &set);
        set.map_err(|error| error.raw_os_error())
    }

    /// Makes another process neither nicer nor less so.
    pub fn set_priority(process: u32) -> Result<(), i32> {
        let arguments = [0, process as usize, 0, 0, 0, 0];
        call(libc::SYS_setpriority, arguments).map(drop)
    }

    /// Opens what another process has open, through its folder.
    pub fn open_descriptor(process: u32, descriptor: u32) -> Result<(), i32> {
        let path = format!("/proc/{process}/fd/{descriptor}");
        File::open(path).map(drop).map_err(errno)
    }

    /// Takes what another process has open.
    pub fn take_descriptor(process: u32, descriptor: u32) -> Result<(), i32> {
        let pidfd = super::pidfd(process)?;
        let arguments = [
            super::sign(pidfd.as_raw_fd()),
            descriptor as usize,
            0,
            0,
            0,
            0,
        ];
        call(libc::SYS_pidfd_getfd, arguments).map(drop)
    }

    /// Compares what it has open with what another process has.
    pub fn compare(process: u32) -> Result<(), i32> {
        let own = std::process::id() as usize;
        let arguments = [own, process as usize, 0, 0, 0, 0];
        call(libc::SYS_kcmp, arguments).map(drop)
    }

    /// Reads another process's environment.
    pub fn read_environment(process: u32) -> Result<Vec<u8>, i32> {
        fs::read(format!("/proc/{process}/environ")).map_err(errno)
    }

    /// Becomes two processes, of which the second ends at once.
    pub fn fork() -> Result<(), i32> {
        let flags = super::sign(libc::SIGCHLD);
        let child = call(libc::SYS_clone, [flags, 0, 0, 0, 0, 0])?;
        if child == 0 {
            let _ = call(libc::SYS_exit_group, [0; 6]);
        }
        call(libc::SYS_wait4, [child, 0, 0, 0, 0, 0]).map(drop)
    }

    /// Has its parent have another child, which ends at once; returns that.
    pub fn fork_beside() -> Result<u32, i32> {
        let flags = super::sign(libc::CLONE_PARENT | libc::SIGCHLD);
        let child = call(libc::SYS_clone, [flags, 0, 0, 0, 0, 0])?;
        if child == 0 {
            let _ = call(libc::SYS_exit_group, [0; 6]);
        }
        u32::try_from(child).map_err(|_| 0)
    }

    /// Runs a program.
    pub fn run(program: &Path) -> Result<(), i32> {
        let status = std::process::Command::new(program).status();
        status.map(drop).map_err(errno)
    }

    /// Becomes a program.
    pub fn become_another(program: &Path, arguments: Vec<String>) -> Result<(), i32> {
        use std::os::unix::process::CommandExt;
        let mut command = std::process::Command::new(program);
        Err(errno(command.args(arguments).exec()))
    }

    /// Starts a thread.
    pub fn start_thread() -> Result<(), i32> {
        let thread = std::thread::Builder::new().spawn(|| {}).map_err(errno)?;
        thread.join().map_err(|_| 0)
    }

    /// The variables of its environment.
    pub fn environment() -> Vec<(String, String)> {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os();
        variables
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    /// The descriptors that are open, of those that a host could have left open.
    pub fn descriptors() -> Vec<u32> {
        const F_GETFD: usize = 1;
        let is_open = |fd: &u32| call(libc::SYS_fcntl, [*fd as usize, F_GETFD, 0, 0, 0, 0]).is_ok();
        (0..4096).filter(is_open).collect()
    }

    /// Whether others of its user may look into its memory.
    pub fn is_dumpable() -> bool {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        dumpable_behavior() != Ok(DumpableBehavior::NotDumpable)
    }

    /// Makes a system call with arguments that ask for nothing.
    pub fn bare_call(number: i64) -> Result<(), i32> {
        call(number, [0; 6]).map(drop)
    }

    /// Asks for its own number by the convention of 32 bits.
    pub fn call_as_of_32_bits() -> u32 {
        super::call_as_of_32_bits()
    }

    /// Makes namespaces of its own.
    pub fn unshare() -> Result<(), i32> {
        // On a thread, so that the worker stays where it is.
        let attempt = || {
            call(
                libc::SYS_unshare,
                [super::sign(libc::CLONE_NEWUTS), 0, 0, 0, 0, 0],
            )
        };
        let thread = std::thread::spawn(attempt);
        thread.join().map_err(|_| 0)?.map(drop)
    }

    /// Makes namespaces of its own, beside a child.
    pub fn fork_into_a_namespace() -> Result<(), i32> {
        let flags = super::sign(libc::SIGCHLD | libc::CLONE_NEWUTS);
        let child = call(libc::SYS_clone, [flags, 0, 0, 0, 0, 0])?;
        if child == 0 {
            let _ = call(libc::SYS_exit_group, [0; 6]);
        }
        call(libc::SYS_wait4, [child, 0, 0, 0, 0, 0]).map(drop)
    }

    /// Asks for a ring by which the kernel makes system calls unseen.
    pub fn io_uring() -> Result<(), i32> {
        let mut parameters = [0u64; 15];
        let arguments = [1, parameters.as_mut_ptr().addr(), 0, 0, 0, 0];
        call(libc::SYS_io_uring_setup, arguments).map(drop)
    }

    /// Asks to hear of its own page faults.
    pub fn userfaultfd() -> Result<(), i32> {
        call(
            libc::SYS_userfaultfd,
            [super::sign(libc::O_CLOEXEC), 0, 0, 0, 0, 0],
        )
        .map(drop)
    }

    /// Asks for its keys.
    pub fn keys() -> Result<(), i32> {
        // KEYCTL_GET_KEYRING_ID of KEY_SPEC_PROCESS_KEYRING, which is made.
        call(libc::SYS_keyctl, [0, super::sign(-2), 1, 0, 0, 0]).map(drop)
    }

    /// Makes shared memory that outlives it.
    pub fn shared_memory() -> Result<(), i32> {
        let id = call(libc::SYS_shmget, [0, 4096, 0o600, 0, 0, 0])?;
        call(libc::SYS_shmctl, [id, 0, 0, 0, 0, 0]).map(drop)
    }

    /// Reads from the channel's other end what is left of standard input: nothing.
    pub fn read_standard_input() -> Result<u32, i32> {
        let mut bytes = Vec::new();
        let stdin = io::stdin();
        let n = stdin.lock().read_to_end(&mut bytes).map_err(errno)?;
        let _ = stdin.as_fd();
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }
}

/// The system's error. One that is not the system's counts as none.
pub(crate) fn errno(error: std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or_default()
}

/// An `int` as the kernel takes it from a register.
pub(crate) fn sign(number: i32) -> usize {
    isize::try_from(number).unwrap_or_default().cast_unsigned()
}

fn c_string(path: &std::path::Path) -> std::ffi::CString {
    std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap_or_default()
}

/// A descriptor of another process, to which everybody is entitled.
fn pidfd(process: u32) -> Result<std::os::fd::OwnedFd, i32> {
    let pid = rustix::process::Pid::from_raw(process.cast_signed()).ok_or(0)?;
    let flags = rustix::process::PidfdFlags::empty();
    rustix::process::pidfd_open(pid, flags).map_err(|error| error.raw_os_error())
}

/// Copies bytes from or to another process.
fn vm(number: i64, process: u32, bytes: &mut [u8], address: u64) -> Result<(), i32> {
    let address = usize::try_from(address).map_err(|_| 0)?;
    let own = [bytes.as_mut_ptr().addr(), bytes.len()];
    let theirs = [address, bytes.len()];
    let (own, theirs) = (own.as_ptr().addr(), theirs.as_ptr().addr());
    call(number, [process as usize, own, 1, theirs, 1, 0]).map(drop)
}

/// Calls `getpid` as a program of 32 bits does. Other processors have no such convention.
fn call_as_of_32_bits() -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        const GETPID: u32 = 20;
        let number;
        // SAFETY: the call takes no address (invariant 1), and changes but the registers that are named.
        unsafe {
            std::arch::asm!(
                "int 0x80",
                inlateout("eax") GETPID => number,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            );
        }
        number
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::process::id()
}

/// Makes a system call (invariants 1 and 2).
pub(crate) fn call(number: i64, arguments: [usize; 6]) -> Result<usize, i32> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: every address that is passed lives, and is long enough (invariant 1); what becomes of
    // pages changes nothing that is referred to (invariant 2).
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    usize::try_from(result).map_err(|_| errno(std::io::Error::last_os_error()))
}

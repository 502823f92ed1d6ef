//! What of the file system a sandboxed worker reaches, by landlock.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::error::SandboxError;
use super::plan::Plan;

/// The version of landlock whose restrictions are asked for: files, TCP, devices, signals and
/// abstract sockets.
const VERSION: ABI = ABI::V6;

/// Where systems keep libraries, for all to read. Not each system has each of them.
const LIBRARY_FOLDERS: [&str; 8] = [
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
];

/// What the loader and this crate read when a worker starts, where it is there.
const NEEDED_FILES: [&str; 4] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/dev/urandom",
    "/proc/meminfo",
];

/// The longest name of a loader (`PATH_MAX`).
const LONGEST_NAME_BYTES: u64 = 4096;

/// Checks that the kernel enforces all that is asked of it.
pub(super) fn check() -> Result<(), RulesetError> {
    rules(CompatLevel::HardRequirement).map(drop)
}

/// Confines this thread, and what it becomes, to what `plan` names. Returns whether the kernel
/// enforces all of it.
pub(super) fn confine(plan: &Plan) -> Result<bool, SandboxError> {
    let level = match plan.sandbox.is_best_effort {
        true => CompatLevel::BestEffort,
        false => CompatLevel::HardRequirement,
    };
    let mut rules = rules(level).map_err(SandboxError::Landlock)?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let run = read | AccessFs::Execute;

    let optional = LIBRARY_FOLDERS.iter().chain(&NEEDED_FILES);
    for path in optional.map(Path::new).filter(|path| path.exists()) {
        rules = allow(rules, path, read)?;
    }
    rules = allow(rules, Path::new("/dev/null"), read | AccessFs::WriteFile)?;
    rules = allow(rules, &plan.program, run)?;
    if let Some(loader) = loader(&plan.program)? {
        rules = allow(rules, &loader, run)?;
    }
    for path in &plan.libraries {
        rules = allow(rules, path, read)?;
    }

    for path in &plan.sandbox.read {
        rules = allow(rules, path, read)?;
    }
    for path in &plan.sandbox.write {
        rules = allow(rules, path, write())?;
    }
    for path in &plan.sandbox.execute {
        rules = allow(rules, path, run)?;
    }
    let status = rules.restrict_self().map_err(SandboxError::Landlock)?;
    Ok(status.ruleset == RulesetStatus::FullyEnforced)
}

/// Restrictions without an exception yet.
fn rules(level: CompatLevel) -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .set_compatibility(level)
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(AccessNet::from_all(VERSION))?
        .scope(Scope::from_all(VERSION))?
        .create()
}

/// What may be done where something may be written. Links could lead whoever reads them later
/// elsewhere; devices and sockets lead out of the file system.
fn write() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, SandboxError> {
    let opened = PathFd::new(path)?;
    let access = match path.is_dir() {
        true => access,
        // The kernel refuses rights that only a folder can have.
        false => access & AccessFs::from_file(VERSION),
    };
    rules
        .add_rule(PathBeneath::new(opened, access))
        .map_err(SandboxError::Landlock)
}

/// The loader that a dynamic executable names, if it lies where the system keeps its own. The file
/// is the worker's, so what it says must not open any other file to it.
fn loader(program: &Path) -> Result<Option<PathBuf>, SandboxError> {
    let file = File::open(program).map_err(|source| SandboxError::Program {
        program: program.to_owned(),
        source,
    })?;
    let named = interpreter(&file).unwrap_or_default();
    let loader = named.and_then(|named| named.canonicalize().ok());
    let folders = LIBRARY_FOLDERS.iter().map(Path::new);
    let mut folders = folders.filter_map(|folder| folder.canonicalize().ok());
    Ok(loader.filter(|loader| folders.any(|folder| loader.starts_with(folder))))
}

/// Reads which interpreter an executable names (`man 5 elf`, `PT_INTERP`); `None` if none, or if it
/// is no ELF file of 64 bits.
fn interpreter(file: &File) -> io::Result<Option<PathBuf>> {
    use std::os::unix::ffi::OsStringExt;

    const PT_INTERP: u64 = 3;
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let table = number(&header[0x20..0x28]);
    let entry_bytes = number(&header[0x36..0x38]);
    for index in 0..number(&header[0x38..0x3a]) {
        let mut entry = [0; 56];
        let offset = table.checked_add(index * entry_bytes);
        file.read_exact_at(&mut entry, offset.ok_or(io::ErrorKind::InvalidData)?)?;
        let (offset, len) = (number(&entry[8..16]), number(&entry[32..40]));
        if number(&entry[..4]) != PT_INTERP || len > LONGEST_NAME_BYTES {
            continue;
        }
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let mut name = vec![0; len];
        file.read_exact_at(&mut name, offset)?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(len));
        return Ok(Some(std::ffi::OsString::from_vec(name).into()));
    }
    Ok(None)
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_of_this_program_is_found() {
        let own = std::env::current_exe().unwrap();
        let loader = loader(&own).unwrap().expect("a dynamic executable");
        assert!(loader.to_string_lossy().contains("ld-"), "{loader:?}");
    }

    #[test]
    fn a_program_can_not_open_a_file_to_itself_by_naming_it() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let named = loader(&std::env::current_exe().unwrap());
        assert!(named.unwrap().is_some());
        let needle = b"/lib64/ld-linux";
        let Some(at) = own.windows(needle.len()).position(|at| at == needle) else {
            return; // not the processor that this is written for
        };
        let mut forged = own;
        forged[at..at + 12].copy_from_slice(b"/etc/passwd\0");
        let program = folder.path().join("forged");
        std::fs::write(&program, forged).unwrap();
        let file = File::open(&program).unwrap();
        assert_eq!(interpreter(&file).unwrap(), Some("/etc/passwd".into()));
        assert_eq!(loader(&program).unwrap(), None);
    }

    #[test]
    fn what_is_no_executable_names_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("script");
        for bytes in [
            &b""[..],
            b"#!/bin/sh\n",
            &[0x7f; 100],
            b"\x7fELF\x02\x01",
            &[b"\x7fELF\x02\x01" as &[u8], &[0xff; 100]].concat(),
        ] {
            std::fs::write(&program, bytes).unwrap();
            assert_eq!(loader(&program).unwrap(), None, "{bytes:?}");
        }
    }
}

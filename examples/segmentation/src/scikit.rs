//! The same work by somebody else's tool, in a language and an environment of its own.
//!
//! `python/nuclei.py` segments with scikit-image, in a worker that is a Python program. [`Scikit`] is
//! what it serves, as the host sees it; [`environment`] makes the virtual environment it runs in.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use ndarray::{ArrayView2, ArrayViewMut2};
use reedbed::{Schema, Tensor2, Worker, WorkerBuilder, remote_module};
use serde::{Deserialize, Serialize};

use crate::objects::Object;

/// What is installed in the environment.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/requirements.txt");

/// What a Python function raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, thiserror::Error)]
#[error("{type}: {message}\n{traceback}")]
pub struct PythonError {
    /// The exception's class.
    pub r#type: String,
    /// What it says.
    pub message: String,
    /// Where it was raised.
    pub traceback: String,
}

/// What `python/nuclei.py` serves.
#[remote_module]
pub trait Scikit {
    /// Returns the labels and the number of objects.
    fn segment(#[ndarray] image: ArrayView2<'_, u16>)
    -> Result<(Tensor2<u32>, usize), PythonError>;

    /// Labels the objects of `image` in `labels`; returns how many there are.
    fn segment_into(
        #[ndarray] image: ArrayView2<'_, u16>,
        #[ndarray] labels: ArrayViewMut2<'_, u32>,
    ) -> Result<usize, PythonError>;

    /// Measures the objects of a label map, in the order of their numbers.
    fn measure_objects(
        #[ndarray] image: ArrayView2<'_, u16>,
        #[ndarray] labels: ArrayView2<'_, u32>,
    ) -> Result<Vec<Object>, PythonError>;
}

/// Why there is no Python with scikit-image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// There is no Python.
    #[error(
        "`python3` can't be run; install Python 3.11 or newer, with venv and pip (Debian and Ubuntu: `apt install python3-venv`)"
    )]
    NoPython(#[source] io::Error),
    /// There is an older Python.
    #[error("`python3` is {found}; Python 3.11 or newer is needed, with venv and pip")]
    TooOld {
        /// What it says of itself.
        found: String,
    },
    /// A step of the installation failed; its own output says why.
    #[error(
        "`{command}` failed ({status}); what it said is above. Debian and Ubuntu need `apt install python3-venv`, and pip the network"
    )]
    Step {
        /// What was run.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The directory can't be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// Makes a virtual environment with scikit-image in `directory`, unless it is there, and returns its
/// interpreter. `say` hears what takes its time.
///
/// # Errors
/// [`EnvironmentError`] if there is no Python, or nothing can be installed.
pub fn environment(directory: &Path, say: impl Fn(&str)) -> Result<PathBuf, EnvironmentError> {
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| EnvironmentError::Write { path, source }
    };
    fs::create_dir_all(directory).map_err(write(directory))?;
    // Others wait here, and then find what the first one has made. The lock ends with the file.
    let lock = File::create(directory.join("lock")).map_err(write(directory))?;
    lock.lock().map_err(write(directory))?;
    let (venv, installed) = (directory.join("venv"), directory.join("installed.txt"));
    let interpreter = venv.join("bin/python");
    let wanted = fs::read_to_string(REQUIREMENTS).map_err(write(REQUIREMENTS.as_ref()))?;
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(interpreter);
    }
    check_version()?;
    say(&format!(
        "installing scikit-image into {}, once (about 100 MB)",
        venv.display()
    ));
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&venv))?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ];
    run(Command::new(&interpreter).args(pip).arg(REQUIREMENTS))?;
    fs::write(&installed, wanted).map_err(write(&installed))?;
    Ok(interpreter)
}

/// Returns how to start the worker.
#[must_use]
pub fn worker(interpreter: &Path) -> WorkerBuilder {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    Worker::builder(interpreter)
        .arg("-u")
        .arg(package.join("python/nuclei.py"))
        // Where `reedbed_worker` is.
        .env("PYTHONPATH", package.with_file_name("python"))
}

fn check_version() -> Result<(), EnvironmentError> {
    let is_new = "import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < (3, 11))";
    let output = Command::new("python3").args(["-c", is_new]).output();
    let output = output.map_err(EnvironmentError::NoPython)?;
    if output.status.success() {
        return Ok(());
    }
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Err(EnvironmentError::TooOld { found })
}

fn run(command: &mut Command) -> Result<(), EnvironmentError> {
    let status = command.status().map_err(EnvironmentError::NoPython)?;
    if status.success() {
        return Ok(());
    }
    let command = format!("{command:?}").replace('"', "");
    Err(EnvironmentError::Step { command, status })
}

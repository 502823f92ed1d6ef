//! Has the stock worker, the program `reedbed-worker`, load a module library at run time.
//!
//! Look at: the worker is no program of this package's, and the library's path could come from a
//! configuration: a plug-in. Two workers load it, because a process loads one library, and a crash
//! of one would leave the other be.
//!
//! `cargo build --workspace && cargo run --package module_library`. The stock worker lies beside this
//! program then; installed (`cargo install --path worker`), it is found in `PATH`.

use module_library::spots;
use reedbed::ndarray::array;
use reedbed::{Tensor, blocking::Worker};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let library = reedbed::library_beside("module_library")?;
    let image = Tensor::from(array![
        [1_u16, 1, 1, 1, 1],
        [1, 9, 1, 7, 1],
        [1, 1, 1, 1, 1],
    ]);
    for _ in 0..2 {
        let worker = Worker::spawn_library(&library)?;
        let spots: spots::BlockingClient = worker.import()?;
        let n_spots = spots.count(&image)?;
        assert_eq!(n_spots, 2);
        let (program, id) = spots.process()?;
        println!("{n_spots} spots, counted by {program} in process {id}");
    }
    Ok(())
}

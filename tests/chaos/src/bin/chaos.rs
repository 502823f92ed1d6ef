//! `cargo chaos`: calls of all shapes, while workers are killed.

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(
    name = "cargo chaos",
    about = "Calls of all shapes, while workers are killed"
)]
struct Cli {
    #[command(flatten)]
    options: chaos::chaos::Options,
}

fn main() -> ExitCode {
    chaos::serve_if_worker();
    let Cli { options } = Cli::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let settled = chaos::allocator::settle();
    println!("seed {seed}");
    let ran = settled.and_then(|()| chaos::block_on(chaos::chaos::run(&options, seed)));
    chaos::exit_code(ran, seed)
}

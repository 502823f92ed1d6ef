//! `cargo soak`: a great many calls, after which nothing has grown.

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(
    name = "cargo soak",
    about = "A great many calls, after which nothing has grown"
)]
struct Cli {
    #[command(flatten)]
    options: chaos::soak::Options,
}

fn main() -> ExitCode {
    chaos::serve_if_worker();
    let Cli { options } = Cli::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("seed {seed}");
    chaos::exit_code(chaos::block_on(chaos::soak::run(&options, seed)), seed)
}

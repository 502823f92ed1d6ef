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
    let settled = chaos::allocator::settle();
    println!("seed {seed}");
    let ran = settled.and_then(|()| chaos::block_on(chaos::soak::run(&options, seed)));
    chaos::exit_code(ran, seed)
}

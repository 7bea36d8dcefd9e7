//! The binary: arguments in, exit code out.

mod arguments;

use arguments::{Arguments, Command};
use clap::Parser;
use quorate::{config, server};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Run => run(&arguments),
        _ => ExitCode::from(config::exit_code::USAGE),
    }
}

fn run(arguments: &Arguments) -> ExitCode {
    let settings = match config::load(&arguments.command_line()) {
        Ok(settings) => settings,
        Err(errors) => {
            errors
                .0
                .iter()
                .for_each(|error| eprintln!("ERROR: {error}"));
            return ExitCode::from(config::exit_code::CONFIG);
        }
    };
    match server::run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ERROR: {error}");
            ExitCode::from(error.exit_code)
        }
    }
}

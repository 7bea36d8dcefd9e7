//! `quorate token`: makes a token for a person or a tool.

use super::client::output;
use anyhow::Context;
use clap::Parser;
use quorate::config::exit_code;
use quorate::security::{TokenRole, TokenRoleError, token_line, token_of};

/// Make a token for a person or a tool.
///
/// Prints two lines. The first one is the token. The second one is the line for the file of
/// cluster.tokens-file on every node; it does not contain the token.
#[derive(Debug, Parser)]
#[command(name = "quorate token", bin_name = "quorate token", version)]
pub struct TokenArguments {
    /// Name of the person or the tool, which appears in the audit log.
    name: String,
    /// Rights of the token: read, write (announcements too) or admin (today the same as write).
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: TokenRole,
}

/// Runs the command and returns the exit code.
///
/// # Errors
/// Fails when the name is not allowed, or the operating system has no random bits.
pub async fn run(arguments: &TokenArguments) -> anyhow::Result<u8> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the operating system has no random bits")?;
    let token = token_of(random);
    let line = token_line(&arguments.name, arguments.role, &token)?;
    output::line(&format!("{token}\n{line}"))?;
    Ok(exit_code::OK)
}

fn role(text: &str) -> Result<TokenRole, TokenRoleError> {
    text.parse()
}

//! The program: one runtime, one command.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

fn main() -> anyhow::Result<ExitCode> {
    // A second installation of the provider can only fail because there is one already.
    rustls::crypto::ring::default_provider().install_default().ok();
    let cli = weir::cli::Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime can't start")?;
    tokio::task::LocalSet::new().block_on(&runtime, weir::cli::run(cli))
}

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
    runtime.block_on(weir::cli::run(cli)).context("the output can't be written")
}

//! The `clippy.toml` of `docs/blocking.md`: clippy knows every path in it, and each is
//! found where it is used.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn every_call_that_is_disallowed_is_found() -> Result<(), Box<dyn Error>> {
    let settings = settings(include_str!("../../../docs/blocking.md"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::write(folder.join("clippy.toml"), &settings)?;
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/blocking_calls.rs");
    let output = Command::new("clippy-driver")
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "--emit",
            "metadata",
        ])
        .arg("--out-dir")
        .arg(folder)
        .arg(sample)
        .env("CLIPPY_CONF_DIR", folder)
        .output()?;
    let told = String::from_utf8(output.stderr)?;
    assert!(output.status.success(), "{told}");

    let paths: Vec<&str> = settings
        .split("path = \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(paths.len() > 40, "the documentation has lost its settings");
    for path in &paths {
        let (method, ty) = (
            format!("use of a disallowed method `{path}`"),
            format!("use of a disallowed type `{path}`"),
        );
        assert!(
            told.contains(&method) || told.contains(&ty),
            "{path} is not found:\n{told}"
        );
    }
    let warnings = told.matches("use of a disallowed").count();
    assert_eq!(warnings, told.matches("warning: ").count() - 1, "{told}"); // and the one that counts them
    Ok(())
}

/// What stands in the TOML blocks of the documentation.
fn settings(documentation: &str) -> String {
    let blocks = documentation.split("```toml\n").skip(1);
    blocks.filter_map(|rest| rest.split("```").next()).collect()
}

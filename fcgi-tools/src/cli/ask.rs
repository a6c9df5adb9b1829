//! What is asked for, which `fcgi request` and `fcgi bench` say in the same way.

use std::path::{Path, PathBuf};

use clap::Args;
use fcgi_tools::request::{Input, VariableError, Variables};

/// The type of a body given as text, as a browser sends a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// The type of a body from a file.
const BYTES: &str = "application/octet-stream";

#[derive(Args)]
pub(super) struct Ask {
    /// What is asked for: a path, and perhaps a query
    #[arg(value_name = "PATH", default_value = "/")]
    target: String,

    /// The method; GET, or POST with a body
    #[arg(short = 'X', long, value_name = "METHOD")]
    method: Option<String>,

    /// A header field, as 'Accept: text/html': HTTP_ACCEPT
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,

    /// Another variable for the application, or a new value for one
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,

    /// A body, of the type of a form unless a header says otherwise
    #[arg(short, long, value_name = "TEXT", conflicts_with = "data_file")]
    data: Option<String>,

    /// A file with the body; - is standard input
    #[arg(long, value_name = "FILE")]
    data_file: Option<PathBuf>,

    /// The script's file (SCRIPT_FILENAME), as PHP needs it
    #[arg(long, value_name = "FILE")]
    script_filename: Option<PathBuf>,

    /// The site's directory (DOCUMENT_ROOT), below which the path names the script
    #[arg(long, value_name = "DIR")]
    document_root: Option<PathBuf>,

    /// The part of the path that names the program (SCRIPT_NAME); the rest is PATH_INFO
    ///
    /// Without it, and without a document root, it is the whole path. The empty name makes the
    /// whole path PATH_INFO.
    #[arg(long, value_name = "PATH")]
    script_name: Option<String>,
}

impl Ask {
    /// The variables but for those of the body; `has_body`: whether there is one from elsewhere.
    pub(super) fn variables(&self, has_body: bool) -> Result<Variables, VariableError> {
        let has_body = has_body || self.data.is_some() || self.data_file.is_some();
        let method = if has_body { "POST" } else { "GET" };
        let method = self.method.as_deref().unwrap_or(method);
        let mut variables = Variables::new(method, &self.target)?;
        if let Some(name) = &self.script_name {
            variables = variables.script_name(name)?;
        }
        if let Some(root) = &self.document_root {
            variables = variables.document_root(root)?;
        }
        if let Some(file) = &self.script_filename {
            variables = variables.script_filename(file);
        }
        for field in &self.headers {
            variables = variables.header(field)?;
        }
        for pair in &self.params {
            variables = variables.param(pair)?;
        }
        Ok(variables)
    }

    /// The body, and its type unless a header said so.
    pub(super) fn body(&self) -> std::io::Result<(Input, &'static str)> {
        Ok(match (&self.data, &self.data_file) {
            (Some(text), _) => (Input::Bytes(text.clone().into_bytes()), FORM),
            (None, Some(file)) if file == Path::new("-") => {
                (Input::read(std::io::stdin().lock())?, BYTES)
            }
            (None, Some(file)) => (Input::file(file)?, BYTES),
            (None, None) => (Input::Empty, BYTES),
        })
    }
}

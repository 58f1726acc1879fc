//! Report files.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::{Builder, NamedTempFile};

/// A file to be written at the end, known to be writable from the start.
#[derive(Debug)]
pub(crate) struct Target {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Replaced as a whole, by renaming a finished file.
    Regular,
    /// A terminal, pipe or device, which can only be written to.
    Special,
}

impl Target {
    /// Finds out whether `path` can be written, without touching what is there.
    pub(crate) fn check(path: &Path) -> Result<Target> {
        let cannot = || format!("cannot write the report {}", path.display());
        let target = match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => bail!("{}: it is a directory", cannot()),
            Ok(meta) if meta.is_file() => {
                // Through symbolic links, so that renaming replaces the file and not the link.
                let path = path.canonicalize().with_context(cannot)?;
                // Renaming would replace even a file we may not write.
                File::options().append(true).open(&path).with_context(cannot)?;
                Target { path, kind: Kind::Regular }
            }
            Ok(_) => Target { path: path.to_owned(), kind: Kind::Special },
            Err(_) => Target { path: path.to_owned(), kind: Kind::Regular },
        };
        if target.kind == Kind::Regular {
            // Removed again at once: nothing is left behind if the run is interrupted.
            drop(target.beside().with_context(cannot)?);
        }
        Ok(target)
    }

    /// Writes the report: either all of it or nothing.
    pub(crate) fn write(&self, text: &str) -> Result<()> {
        let write = || -> Result<()> {
            if self.kind == Kind::Special {
                return Ok(fs::write(&self.path, text)?);
            }
            let mut file = self.beside()?;
            file.write_all(text.as_bytes())?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write the report {}", self.path.display()))
    }

    /// A temporary file in the directory of the target, so that it can be renamed to it.
    fn beside(&self) -> std::io::Result<NamedTempFile> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut builder = Builder::new();
        builder.prefix(".parkade-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // A report is no secret: the permissions of an ordinary new file.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        builder.tempfile_in(directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checking_leaves_everything_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("old.json");
        fs::write(&old, "old").unwrap();
        let target = Target::check(&old).unwrap();
        let fresh = Target::check(&dir.path().join("new.json")).unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        target.write("new").unwrap();
        fresh.write("new too").unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn directories_and_missing_directories_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = Target::check(dir.path()).unwrap_err();
        assert!(error.to_string().contains("it is a directory"), "{error:#}");
        let error = Target::check(&dir.path().join("missing/x.json")).unwrap_err();
        assert!(error.to_string().contains("cannot write the report"), "{error:#}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        Target::check(&link).unwrap().write("new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}

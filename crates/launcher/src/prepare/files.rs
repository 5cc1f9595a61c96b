//! Generated files, compared and written as sets.

use anyhow::Context as _;
use std::{collections::BTreeMap, fs, path::Path};

/// Name → text.
pub(super) type Files = BTreeMap<String, String>;

/// All files of a directory; none when there is no such directory.
pub(super) fn read(dir: &Path) -> anyhow::Result<Files> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(Files::new());
    };
    let mut files = Files::new();
    for entry in entries {
        let entry = entry?;
        files.insert(
            entry.file_name().to_string_lossy().into_owned(),
            fs::read_to_string(entry.path())?,
        );
    }
    Ok(files)
}

/// The names of the files that differ between the two sets.
pub(super) fn differences(old: &Files, fresh: &Files) -> Vec<String> {
    let changed = fresh
        .iter()
        .filter(|(name, text)| old.get(*name) != Some(text))
        .map(|(name, _)| name);
    let orphans = old.keys().filter(|name| !fresh.contains_key(*name));
    changed.chain(orphans).cloned().collect()
}

/// Makes `dir` hold the fresh files instead of the old ones. A file that does not differ keeps its time, so that cargo
/// compiles nothing for it.
pub(super) fn replace(dir: &Path, old: &Files, fresh: &Files) -> anyhow::Result<()> {
    for name in differences(old, fresh) {
        let path = dir.join(&name);
        let Some(text) = fresh.get(&name) else {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            continue;
        };
        fs::create_dir_all(path.parent().unwrap_or(dir))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_differ_are_written() {
        let dir = std::env::temp_dir().join(format!("medtrack-files-{}", uuid::Uuid::new_v4()));
        let files = |list: &[(&str, &str)]| -> Files {
            list.iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect()
        };
        let old = files(&[("same", "1"), ("changed", "1"), ("orphan", "1")]);
        replace(&dir, &Files::new(), &old).unwrap();
        let modified = || fs::metadata(dir.join("same")).unwrap().modified().unwrap();
        let before = modified();
        let fresh = files(&[("same", "1"), ("changed", "2"), ("new", "1")]);
        assert_eq!(differences(&old, &fresh), ["changed", "new", "orphan"]);
        replace(&dir, &old, &fresh).unwrap();
        assert_eq!(read(&dir).unwrap(), fresh);
        assert_eq!(modified(), before);
        fs::remove_dir_all(dir).unwrap();
    }
}

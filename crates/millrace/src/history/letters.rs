//! The records of history that could not be used.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use millrace_connector::{DeadLetter, Decoded, PartialFile};
use millrace_stream::live::DeadEvent;

use super::Summary;
use crate::exit::Failure;
use crate::whole_file;

/// A file beside the output with a line of JSON for each bad record, as in a server's log of dead
/// letters. There is no such file when all records are good. Like the output, it is whole or not
/// there, and until then that of an earlier run stays.
#[derive(Debug)]
pub struct Letters {
    path: PathBuf,
    file: Option<BufWriter<PartialFile>>,
    is_kept: bool,
}

impl Letters {
    /// Where the letters of a computation go whose rows go to `output`.
    pub fn path_beside(output: &Path) -> PathBuf {
        let mut name = output.as_os_str().to_owned();
        name.push(".dead.ndjson");
        PathBuf::from(name)
    }

    pub fn at(path: PathBuf) -> Letters {
        Letters { path, file: None, is_kept: false }
    }

    /// Keeps the records of a block that could not be used, and counts them.
    pub fn take(
        &mut self,
        decoded: &Decoded,
        stream: usize,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        summary.count_dead(stream, decoded);
        for letter in &decoded.dead {
            self.push(&decoded.batch.schema.stream, letter)?;
        }
        Ok(())
    }

    /// Keeps the records of a file of rows that could not be used.
    pub fn take_rows(&mut self, decoded: &Decoded) -> Result<(), Failure> {
        let stream = &decoded.batch.schema.stream;
        decoded.dead.iter().try_for_each(|letter| self.push(stream, letter))
    }

    fn push(&mut self, stream: &str, letter: &DeadLetter) -> Result<(), Failure> {
        self.write(&DeadEvent {
            stream: Some(stream.to_owned()),
            origin: letter.origin.to_string(),
            position: letter.position.to_string(),
            reason: letter.reason.name().to_owned(),
            message: letter.message.clone(),
            bytes: letter.bytes.clone(),
        })
    }

    fn write(&mut self, letter: &DeadEvent) -> Result<(), Failure> {
        let failed = Failure::io(&self.path);
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = PartialFile::create(&self.path)?;
                self.file.insert(BufWriter::new(file))
            }
        };
        let mut line = serde_json::to_vec(letter).map_err(Failure::bug)?;
        line.push(b'\n');
        file.write_all(&line).map_err(&failed)
    }

    /// Gives the file its name; where there is no letter, removes what an earlier run left.
    pub fn finish(&mut self) -> Result<(), Failure> {
        let Some(file) = self.file.take() else { return whole_file::remove(&self.path) };
        whole_file::finish(file)?;
        self.is_kept = true;
        Ok(())
    }

    /// Puts letters that lie elsewhere to their place, as [`Letters::finish`] does.
    pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
        let mut letters = match File::open(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return whole_file::remove(to),
            opened => opened.map_err(Failure::io(from))?,
        };
        let mut file = PartialFile::create(to)?;
        io::copy(&mut letters, &mut file).map_err(Failure::io(to))?;
        Ok(file.finish()?)
    }

    /// Where letters go, if there are any.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, once it is finished and if there is any letter.
    pub fn path_if_any(&self) -> Option<&Path> {
        self.is_kept.then_some(&*self.path)
    }
}

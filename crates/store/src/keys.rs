//! API keys at rest: enough to recognise a key, nothing to make one from.
//!
//! A key is `mr_` and 256 random bits in hexadecimal. What is stored is its HMAC-SHA-256 under a
//! secret of this installation, the pepper, which lies in a file of its own: who reads `keys.json`
//! alone can neither use a key nor test a guess. A fast keyed hash is enough, and a slow password
//! hash would be a way to exhaust the server, because a key, unlike a password, cannot be guessed.
//!
//! Each record also carries a seal, an HMAC of all its fields: a team that was changed in the file
//! by hand, or by a failing disk, is noticed and gives no access.

use std::fmt;
use std::sync::Arc;

use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use millrace_event::EventTime;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::disk::{read_start, replace};
use crate::{Disk, Name, StoreError};

/// What every key begins with, so that people and secret scanners recognise it.
pub const KEY_PREFIX: &str = "mr_";
/// The most keys of one installation: a request is compared with each of them.
pub const KEYS_MAX: usize = 1_000;
/// The longest name of a key or team, in bytes.
pub const LABEL_BYTES_MAX: usize = 64;

const VERSION: u32 = 1;
const FILE_BYTES_MAX: usize = 1 << 20;
const SECRET_BYTES: usize = 32;
const SECRET_HEX: usize = 2 * SECRET_BYTES;

/// A new key, in the only moment in which it is known. Its debug form hides it.
pub struct ApiKey(String);

impl ApiKey {
    /// The key itself, to be shown to its user once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({KEY_PREFIX}…)")
    }
}

/// What is known of a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Unique, to list and revoke it by.
    pub name: String,
    /// Whose key it is, as it was said when the key was made: for people who look at the list.
    /// It opens no more and no less.
    pub team: String,
    /// RFC 3339, UTC.
    pub created: String,
    hmac: String,
    seal: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<R> {
    version: u32,
    keys: R,
}

/// The keys of a data directory.
#[derive(Debug)]
pub struct Keys {
    disk: Arc<dyn Disk>,
    pepper: Option<Pepper>,
    records: Vec<KeyRecord>,
    are_set_up: bool,
}

impl Keys {
    /// Reads the keys; there are none where there is no file.
    ///
    /// To change them, open the disk with [`crate::Access::Keys`] or be the owner of the data
    /// directory; to verify, [`crate::Access::Read`] is enough.
    ///
    /// # Errors
    /// [`StoreError::KeysUnreadable`] when a file is not what was written, or the pepper is gone;
    /// [`StoreError::KeyChanged`] when a record is not.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Keys, StoreError> {
        let mut keys = Keys { disk, pepper: None, records: Vec::new(), are_set_up: false };
        keys.reload()?;
        Ok(keys)
    }

    /// Reads the keys again, which another process may have changed. After an error the keys are
    /// those of before.
    ///
    /// # Errors
    /// As for [`Keys::open`].
    pub fn reload(&mut self) -> Result<(), StoreError> {
        let records = read_records(&*self.disk)?;
        let pepper = Pepper::read(&*self.disk)?;
        let are_set_up = records.is_some() || pepper.is_some();
        let records = records.unwrap_or_default();
        for record in &records {
            let why = "it is missing, and without it no key can be recognised";
            let pepper = pepper.as_ref().ok_or_else(|| unreadable(Name::PEPPER, why))?;
            if !pepper.has_sealed(record) {
                return Err(StoreError::KeyChanged { key: record.name.clone() });
            }
        }
        (self.pepper, self.records, self.are_set_up) = (pepper, records, are_set_up);
        Ok(())
    }

    /// Makes a key and stores what is needed to recognise it, durably.
    ///
    /// # Errors
    /// When the name is taken, name or team are not plain, there are [`KEYS_MAX`] keys, or the
    /// disk fails; then there is no new key.
    pub fn create(
        &mut self,
        name: &str,
        team: &str,
        created: EventTime,
    ) -> Result<ApiKey, StoreError> {
        check_label("key name", name)?;
        check_label("team", team)?;
        self.reload()?;
        if self.records.iter().any(|record| record.name == name) {
            return Err(StoreError::KeyExists { key: name.to_owned() });
        }
        if self.records.len() >= KEYS_MAX {
            return Err(StoreError::TooManyKeys { limit: KEYS_MAX });
        }
        let key = ApiKey(format!("{KEY_PREFIX}{}", to_hex(&random(&*self.disk)?)));
        let pepper = match self.pepper.take() {
            Some(pepper) => pepper,
            None => Pepper::create(&*self.disk)?,
        };
        let pepper = self.pepper.insert(pepper);
        let mut record = KeyRecord {
            name: name.to_owned(),
            team: team.to_owned(),
            created: created.to_string(),
            hmac: to_hex(&pepper.hash_key(key.reveal()).into_bytes()),
            seal: String::new(),
        };
        record.seal = to_hex(&pepper.seal(&record).into_bytes());
        let mut records = self.records.clone();
        records.push(record);
        self.store(records)?;
        Ok(key)
    }

    /// The record of this key, or `None` when it is not one of ours. How long that takes says
    /// nothing about the stored keys.
    pub fn verify(&self, key: &str) -> Option<&KeyRecord> {
        let pepper = self.pepper.as_ref()?;
        if !key.starts_with(KEY_PREFIX) || key.len() != KEY_PREFIX.len() + SECRET_HEX {
            return None;
        }
        let hash = pepper.hash_key(key);
        let mut found = None;
        // Every record is compared, in constant time, wherever the right one stands.
        for record in &self.records {
            if is_hex_of(&record.hmac, &hash) {
                found = Some(record);
            }
        }
        found
    }

    /// Removes a key, durably. Processes that verify see it after their next reload.
    ///
    /// # Errors
    /// [`StoreError::NoSuchKey`], or the disk fails.
    pub fn revoke(&mut self, name: &str) -> Result<KeyRecord, StoreError> {
        self.reload()?;
        let mut records = self.records.clone();
        let at = records.iter().position(|record| record.name == name);
        let at = at.ok_or_else(|| StoreError::NoSuchKey { key: name.to_owned() })?;
        let revoked = records.remove(at);
        self.store(records)?;
        Ok(revoked)
    }

    /// Whether there ever was a key here: that the last one was revoked must not open anything.
    /// Who wants no keys any more removes `keys.json` and `pepper`.
    pub fn are_set_up(&self) -> bool {
        self.are_set_up
    }

    /// All keys, in the order of their creation.
    pub fn list(&self) -> &[KeyRecord] {
        &self.records
    }

    fn store(&mut self, records: Vec<KeyRecord>) -> Result<(), StoreError> {
        let file = File { version: VERSION, keys: &records };
        let mut text = serde_json::to_vec_pretty(&file)
            .map_err(|error| unreadable(Name::KEYS, error.to_string()))?;
        text.push(b'\n');
        replace(&*self.disk, &Name::KEYS, &text)?;
        self.records = records;
        self.are_set_up = true;
        Ok(())
    }
}

/// The secret under which keys are hashed.
struct Pepper([u8; SECRET_BYTES]);

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(…)")
    }
}

impl Pepper {
    fn create(disk: &dyn Disk) -> Result<Pepper, StoreError> {
        let pepper = Pepper(random(disk)?);
        replace(disk, &Name::PEPPER, format!("{}\n", to_hex(&pepper.0)).as_bytes())?;
        Ok(pepper)
    }

    fn read(disk: &dyn Disk) -> Result<Option<Pepper>, StoreError> {
        let Some(bytes) = read_if_there(disk, &Name::PEPPER)? else { return Ok(None) };
        let secret = bytes.strip_suffix(b"\n").and_then(from_hex);
        let why = "it is not 64 hexadecimal digits and a line end";
        Ok(Some(Pepper(secret.ok_or_else(|| unreadable(Name::PEPPER, why))?)))
    }

    fn hash_key(&self, key: &str) -> CtOutput<Hmac<Sha256>> {
        self.mac().chain_update(key).finalize()
    }

    /// Over all fields, in order, with an end that no field can contain. A key begins with its
    /// prefix, so that no key's hash is a seal.
    fn seal(&self, record: &KeyRecord) -> CtOutput<Hmac<Sha256>> {
        let KeyRecord { name, team, created, hmac, seal: _ } = record;
        let mut mac = self.mac().chain_update("seal\0");
        for field in [name, team, created, hmac] {
            mac.update(field.as_bytes());
            mac.update(b"\0");
        }
        mac.finalize()
    }

    fn has_sealed(&self, record: &KeyRecord) -> bool {
        is_hex_of(&record.seal, &self.seal(record))
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("an HMAC takes a key of any length")
    }
}

fn read_records(disk: &dyn Disk) -> Result<Option<Vec<KeyRecord>>, StoreError> {
    let Some(text) = read_if_there(disk, &Name::KEYS)? else { return Ok(None) };
    let file: File<Vec<KeyRecord>> =
        serde_json::from_slice(&text).map_err(|error| unreadable(Name::KEYS, error.to_string()))?;
    if file.version != VERSION {
        let (found, known) = (file.version, VERSION);
        return Err(StoreError::NewerVersion { name: Name::KEYS, found, known });
    }
    if file.keys.len() > KEYS_MAX {
        return Err(StoreError::TooManyKeys { limit: KEYS_MAX });
    }
    Ok(Some(file.keys))
}

fn read_if_there(disk: &dyn Disk, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
    match read_start(disk, name, FILE_BYTES_MAX + 1) {
        Ok(bytes) if bytes.len() > FILE_BYTES_MAX => {
            Err(unreadable(name.clone(), format!("it is longer than {FILE_BYTES_MAX} bytes")))
        }
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn unreadable(name: Name, why: impl Into<String>) -> StoreError {
    StoreError::KeysUnreadable { name, why: why.into() }
}

fn check_label(what: &'static str, text: &str) -> Result<(), StoreError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > LABEL_BYTES_MAX || !text.chars().all(is_plain) {
        let (given, limit) = (text.to_owned(), LABEL_BYTES_MAX);
        return Err(StoreError::KeyLabel { what, given, limit });
    }
    Ok(())
}

fn random(disk: &dyn Disk) -> Result<[u8; SECRET_BYTES], StoreError> {
    let mut bytes = [0; SECRET_BYTES];
    disk.random(&mut bytes)?;
    Ok(bytes)
}

/// Whether the text is this hash, in constant time.
fn is_hex_of(text: &str, hash: &CtOutput<Hmac<Sha256>>) -> bool {
    from_hex(text.as_bytes()).is_some_and(|bytes| CtOutput::new(bytes.into()) == *hash)
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower-case digits only: one text per value.
fn from_hex(text: &[u8]) -> Option<[u8; SECRET_BYTES]> {
    let mut bytes = [0; SECRET_BYTES];
    if text.len() != SECRET_HEX {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    }
}

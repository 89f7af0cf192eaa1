//! A limit on everything that a model file can ask for. They are far above what is trained for
//! payments, and low enough that a hostile file costs seconds and not the machine.

/// Bytes of a model file.
pub const FILE_BYTES_MAX: usize = 256 << 20;
pub const TREES_MAX: usize = 100_000;
/// As many as LightGBM grows.
pub const LEAVES_MAX: usize = 131_072;
/// In all trees together: a leaf costs some 200 bytes of memory, and as little as 15 of a file.
pub const LEAVES_TOTAL_MAX: usize = 1 << 22;
pub const FEATURES_MAX: usize = 65_536;
/// Splits from the root to a leaf. A tree this deep is a list; exact attribution recurses as deep.
pub const DEPTH_MAX: usize = 512;
/// A category is below this: as large as a 32-bit float counts exactly, which is XGBoost's limit.
pub const CATEGORY_MAX: usize = 1 << 24;
/// Words of 32 bits in all sets of categories together. An XGBoost file names only the members of
/// a set, so that a few bytes could ask for a set of two megabytes.
pub const CATEGORY_WORDS_MAX: usize = 1 << 24;
/// Named categories of one feature.
pub const CATEGORIES_NAMED_MAX: usize = 65_536;
/// Bytes of all names of categories together: what they become in memory is many times as large.
pub const CATEGORY_NAMES_BYTES_MAX: usize = 8 << 20;
/// The longest given text that an error repeats, in characters.
pub(super) const SHOWN_CHARS_MAX: usize = 40;

/// Bytes of an ONNX file.
pub const ONNX_BYTES_MAX: usize = 64 << 20;
pub const ONNX_NODES_MAX: usize = 1_024;
/// Nodes, attributes, names of what goes in and out, and tensors with their fields: in memory each
/// may be some hundred times as large as in the file.
pub const ONNX_PARTS_MAX: usize = 1 << 16;
/// In lists of them, where trees name the kind of each node.
pub const ONNX_TEXTS_MAX: usize = 1 << 22;
pub const ONNX_OTHER_BYTES_MAX: usize = 1 << 20;
/// Numbers in an ONNX file, and of each tensor that is made of them alone.
pub const ONNX_PARAMETERS_MAX: usize = 1 << 24;
pub const ONNX_DIMENSIONS_MAX: usize = 8;
/// Numbers that an ONNX graph holds or makes for one row.
pub const ONNX_NUMBERS_MAX: usize = 1 << 25;
/// Multiplications for one row: some tenths of a second at most.
pub const ONNX_WORK_MAX: usize = 1 << 28;

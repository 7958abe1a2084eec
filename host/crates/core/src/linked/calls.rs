//! Calls that load something by its id, in Python and in the scripts of pages.
//!
//! One pass over the text by a small lexer and a stack of open brackets. An argument counts if it is one string, or one
//! variable that is given a string somewhere in the file.

mod lexer;

use std::collections::BTreeMap;

use lexer::{Lexer, Token};

use super::{Kind, Linked, Syntax, as_id};

/// Brackets within brackets that are told apart; deeper ones are counted and otherwise passed over.
const MAX_DEPTH: usize = 64;
/// Arguments of a call that are looked at: ids stand among the first, keywords among a few.
const MAX_ARGUMENTS: usize = 32;
/// Variables of a file that are remembered, and uses of variables.
const MAX_VARIABLES: usize = 1000;
/// Strings that one variable may stand for: the branches of a choice.
const MAX_VALUES: usize = 8;

/// What a call loads, and by which of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loader {
    /// By its first argument or one of these keywords.
    First(Kind, &'static [&'static str]),
    /// By its second argument, or the keyword `model`.
    Pipeline,
    /// By its first argument, of the kind that the keyword `repo_type` says.
    File,
    /// By `models/owner/name`, or with the keyword `src`.
    Gradio,
}

/// Functions by their names.
const LOADERS: [(&str, Loader); 19] = [
    ("from_pretrained", Loader::First(Kind::Model, &["pretrained_model_name_or_path", "model_id", "repo_id"])),
    ("from_pretrained_keras", Loader::First(Kind::Model, &["repo_id"])),
    ("load_lora_weights", Loader::First(Kind::Model, &["pretrained_model_name_or_path_or_dict"])),
    ("pipeline", Loader::Pipeline),
    ("SentenceTransformer", Loader::First(Kind::Model, &["model_name_or_path"])),
    ("CrossEncoder", Loader::First(Kind::Model, &["model_name", "model_name_or_path"])),
    ("InferenceClient", Loader::First(Kind::Model, &["model"])),
    ("AsyncInferenceClient", Loader::First(Kind::Model, &["model"])),
    ("InferenceApi", Loader::First(Kind::Model, &["repo_id"])),
    ("HuggingFaceEndpoint", Loader::First(Kind::Model, &["repo_id"])),
    ("HuggingFaceHub", Loader::First(Kind::Model, &["repo_id"])),
    ("load_dataset", Loader::First(Kind::Dataset, &["path"])),
    ("load_dataset_builder", Loader::First(Kind::Dataset, &["path"])),
    ("get_dataset_config_names", Loader::First(Kind::Dataset, &["path"])),
    ("get_dataset_split_names", Loader::First(Kind::Dataset, &["path"])),
    ("hf_hub_download", Loader::File),
    ("hf_hub_url", Loader::File),
    ("snapshot_download", Loader::File),
    ("load", Loader::Gradio),
];

/// Whose `load` is Gradio's.
const GRADIO: [&str; 4] = ["gr", "gradio", "Interface", "Blocks"];

/// A value in the text.
#[derive(Debug, Clone, Copy)]
enum Written<'a> {
    Text(&'a str),
    Variable(&'a str),
}

#[derive(Debug, Clone, Copy, Default)]
struct Argument<'a> {
    keyword: Option<&'a str>,
    value: Option<Written<'a>>,
    /// Of more than one token nobody knows what comes out.
    tokens: usize,
}

/// An open bracket.
#[derive(Default)]
struct Frame<'a> {
    is_call: bool,
    loader: Option<Loader>,
    arguments: Vec<Argument<'a>>,
    current: Argument<'a>,
}

/// Reads a file.
pub(super) fn read(text: &str, syntax: Syntax, into: &mut Linked) {
    let mut reader = Reader::default();
    for token in Lexer::new(text, syntax) {
        reader.take(token);
    }
    reader.finish(into);
}

#[derive(Default)]
struct Reader<'a> {
    frames: Vec<Frame<'a>>,
    /// Brackets open beyond those of `frames`.
    deeper: usize,
    /// The last tokens, the newest first.
    last: [Option<Token<'a>>; 3],
    variables: BTreeMap<&'a str, Vec<&'a str>>,
    /// What calls load, in their order.
    found: Vec<(Loaded, Written<'a>)>,
}

/// How a value is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loaded {
    Id(Kind),
    /// With `models/` in front.
    Prefixed,
}

impl<'a> Reader<'a> {
    fn take(&mut self, token: Token<'a>) {
        self.assign(token);
        match token {
            Token::Punctuation(b'(' | b'[' | b'{') => self.open(token),
            Token::Punctuation(b')' | b']' | b'}') => self.close(),
            _ if self.deeper > 0 => {}
            token => match (self.frames.last_mut(), token) {
                (Some(frame), Token::Punctuation(b',')) => frame.end_argument(),
                (Some(frame), token) => frame.add(token),
                (None, _) => {}
            },
        }
        self.last = [Some(token), self.last[0], self.last[1]];
    }

    /// Remembers `name = "text"`, which in a call would be a keyword.
    fn assign(&mut self, token: Token<'a>) {
        let (Token::Text(value), [Some(Token::Punctuation(b'=')), Some(Token::Word(name)), _]) = (token, self.last)
        else {
            return;
        };
        let is_keyword = self.deeper > 0 || self.frames.last().is_some_and(|frame| frame.is_call);
        if is_keyword || (self.variables.len() >= MAX_VARIABLES && !self.variables.contains_key(name)) {
            return;
        }
        let values = self.variables.entry(name).or_default();
        if values.len() < MAX_VALUES {
            values.push(value);
        }
    }

    fn open(&mut self, bracket: Token<'a>) {
        if self.deeper == 0 && self.frames.len() < MAX_DEPTH {
            if let Some(around) = self.frames.last_mut() {
                around.add(bracket);
            }
            let is_call = bracket == Token::Punctuation(b'(');
            let loader = if is_call { self.loader() } else { None };
            self.frames.push(Frame { is_call, loader, ..Frame::default() });
        } else {
            self.deeper += 1;
        }
    }

    /// What the call that begins here loads.
    fn loader(&self) -> Option<Loader> {
        let [Some(Token::Word(name)), dot, owner] = self.last else { return None };
        let (_, loader) = LOADERS.iter().find(|(known, _)| *known == name)?;
        let is_gradio = dot == Some(Token::Punctuation(b'.'))
            && matches!(owner, Some(Token::Word(owner)) if GRADIO.contains(&owner));
        (*loader != Loader::Gradio || is_gradio).then_some(*loader)
    }

    fn close(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        let Some(mut frame) = self.frames.pop() else { return };
        frame.end_argument();
        if let Some(found) = frame.loader.and_then(|loader| loaded(loader, &frame.arguments))
            && self.found.len() < MAX_VARIABLES
        {
            self.found.push(found);
        }
    }

    fn finish(self, into: &mut Linked) {
        for (loaded, written) in &self.found {
            let values = match written {
                Written::Text(text) => std::slice::from_ref(text),
                Written::Variable(name) => self.variables.get(name).map_or(&[][..], Vec::as_slice),
            };
            for value in values {
                let (kind, id) = match loaded {
                    Loaded::Id(kind) => (*kind, Some(*value)),
                    Loaded::Prefixed => {
                        (Kind::Model, value.strip_prefix("models/").or(value.strip_prefix("huggingface/")))
                    }
                };
                if let Some(id) = id.and_then(as_id) {
                    into.add(kind, id);
                }
            }
        }
    }
}

impl<'a> Frame<'a> {
    fn add(&mut self, token: Token<'a>) {
        let current = &mut self.current;
        match (token, current.tokens, current.value) {
            (Token::Punctuation(b'='), 1, Some(Written::Variable(name))) if current.keyword.is_none() => {
                *current = Argument { keyword: Some(name), ..Argument::default() };
                return;
            }
            (Token::Text(text), 0, _) => current.value = Some(Written::Text(text)),
            (Token::Word(name), 0, _) => current.value = Some(Written::Variable(name)),
            _ => current.value = None,
        }
        current.tokens += 1;
    }

    fn end_argument(&mut self) {
        let ended = std::mem::take(&mut self.current);
        let is_there = ended.tokens > 0 || ended.keyword.is_some();
        if self.loader.is_some() && is_there && self.arguments.len() < MAX_ARGUMENTS {
            self.arguments.push(ended);
        }
    }
}

/// What a call with these arguments loads.
fn loaded<'a>(loader: Loader, arguments: &[Argument<'a>]) -> Option<(Loaded, Written<'a>)> {
    let keyword = |names: &[&str]| {
        let is_named = |argument: &&Argument<'_>| argument.keyword.is_some_and(|name| names.contains(&name));
        arguments.iter().find(is_named).and_then(|argument| argument.value)
    };
    let position = |index: usize| {
        arguments.get(index).filter(|argument| argument.keyword.is_none()).and_then(|argument| argument.value)
    };
    match loader {
        Loader::First(kind, names) => Some((Loaded::Id(kind), keyword(names).or(position(0))?)),
        Loader::Pipeline => Some((Loaded::Id(Kind::Model), keyword(&["model"]).or(position(1))?)),
        Loader::File => {
            let kind = match keyword(&["repo_type"]) {
                Some(Written::Text("dataset")) => Kind::Dataset,
                None | Some(Written::Text("model")) => Kind::Model,
                Some(_) => return None,
            };
            Some((Loaded::Id(kind), keyword(&["repo_id"]).or(position(0))?))
        }
        Loader::Gradio => {
            let name = keyword(&["name"]).or(position(0))?;
            match keyword(&["src"]) {
                Some(Written::Text("models" | "huggingface")) => Some((Loaded::Id(Kind::Model), name)),
                Some(_) => None,
                None => Some((Loaded::Prefixed, name)),
            }
        }
    }
}

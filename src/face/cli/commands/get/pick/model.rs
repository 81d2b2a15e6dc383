//! The tree of files with its boxes, and what each key does to it. Pure: keys in, state out.

use crate::proto::metainfo::Metainfo;

use super::nodes::{Node, nodes};

/// An action of the person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// Folds the folder, or goes to the one around.
    Left,
    /// Unfolds the folder, or goes into it.
    Right,
    /// A screenful up.
    PageUp,
    /// A screenful down.
    PageDown,
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// A character: a command, or a letter of the filter while it is typed.
    Char(char),
    /// Takes the last letter of the filter away.
    Backspace,
    /// Starts, or ends the filter's typing.
    Enter,
    /// Leaves, or takes the filter away.
    Escape,
}

/// The result of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Go on.
    Stay,
    /// Download what is chosen.
    Start,
    /// Download nothing.
    Leave,
}

/// How much of a folder is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chosen {
    /// Nothing happens.
    None,
    /// Some of it.
    Some,
    /// All of it.
    All,
}

/// A file or a folder, as it is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row<'a> {
    /// Its name, a stranger's words.
    pub name: &'a str,
    /// How many folders it lies in.
    pub depth: usize,
    /// Its bytes, those of all files for a folder.
    pub size: u64,
    /// How much of it is chosen.
    pub chosen: Chosen,
    /// Whether the line is a folder, and if so whether it is unfolded.
    pub folder: Option<bool>,
    /// The cursor stands here.
    pub here: bool,
}

/// The tree.
#[derive(Clone, Debug)]
pub struct Picker {
    nodes: Vec<Node>,
    /// The nodes that are shown.
    shown: Vec<usize>,
    /// Which of them the cursor is on.
    cursor: usize,
    /// The first that is on the screen.
    top: usize,
    /// Lines of the screen for the tree.
    height: usize,
    filter: String,
    typing: bool,
    /// The message about the last key.
    pub word: &'static str,
}

impl Picker {
    /// All files of a torrent, of which these are chosen, by index.
    pub fn new(torrent: &Metainfo, wanted: &[bool]) -> Self {
        let mut picker = Self {
            nodes: nodes(torrent, wanted),
            shown: Vec::new(),
            cursor: 0,
            top: 0,
            height: 1,
            filter: String::new(),
            typing: false,
            word: "",
        };
        picker.show();
        picker
    }

    /// Says how many lines there are for the tree.
    pub fn resize(&mut self, height: usize) {
        self.height = height.max(1);
        self.scroll();
    }

    /// Does what a key means.
    pub fn press(&mut self, key: Key) -> Step {
        self.word = "";
        if self.typing {
            self.edit(key);
            return Step::Stay;
        }
        match key {
            Key::Up | Key::Char('k') => self.go(self.cursor.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.go(self.cursor + 1),
            Key::PageUp => self.go(self.cursor.saturating_sub(self.height)),
            Key::PageDown => self.go(self.cursor + self.height),
            Key::First | Key::Char('g') => self.go(0),
            Key::Last | Key::Char('G') => self.go(usize::MAX),
            Key::Left | Key::Char('h') => self.fold(),
            Key::Right | Key::Char('l') => self.unfold(),
            Key::Char(' ') => self.toggle(),
            Key::Char('a') => self.choose_all(true),
            Key::Char('n') => self.choose_all(false),
            Key::Char('/') => self.typing = true,
            Key::Escape if !self.filter.is_empty() => {
                self.filter.clear();
                self.refilter();
            }
            Key::Escape | Key::Char('q') => return Step::Leave,
            Key::Enter if self.totals().0 == 0 => {
                self.word = "nothing is chosen; space chooses, a chooses all";
            }
            Key::Enter => return Step::Start,
            Key::Char(_) | Key::Backspace => {}
        }
        Step::Stay
    }

    /// The lines that are on the screen.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let shown = self.shown.iter().enumerate().skip(self.top).take(self.height);
        shown.map(|(line, &at)| {
            let node = &self.nodes[at];
            Row {
                name: &node.name,
                depth: node.depth,
                size: node.size,
                chosen: self.chosen(at),
                folder: node.file.is_none().then_some(node.open || !self.filter.is_empty()),
                here: line == self.cursor,
            }
        })
    }

    /// Chosen files, all files, chosen bytes, all bytes.
    pub fn totals(&self) -> (usize, usize, u64, u64) {
        let files = self.nodes.iter().filter(|node| node.file.is_some());
        files.fold((0, 0, 0, 0), |(some, all, bytes, size), node| {
            let (one, len) = if node.chosen { (1, node.size) } else { (0, 0) };
            (some + one, all + 1, bytes + len, size + node.size)
        })
    }

    /// The filter, and whether it is being typed.
    pub fn filter(&self) -> (&str, bool) {
        (&self.filter, self.typing)
    }

    /// Whether there are lines above and below those on the screen.
    pub fn hidden(&self) -> (bool, bool) {
        (self.top > 0, self.top + self.height < self.shown.len())
    }

    /// Marks the chosen files, by index, and unmarks the others.
    pub fn mark(&self, wanted: &mut [bool]) {
        for node in &self.nodes {
            if let Some(wanted) = node.file.and_then(|file| wanted.get_mut(file)) {
                *wanted = node.chosen;
            }
        }
    }

    fn chosen(&self, at: usize) -> Chosen {
        let files = self.files(at);
        let (some, all) =
            files.fold((false, true), |(some, all), node| (some | node.chosen, all & node.chosen));
        match (some, all) {
            (true, true) => Chosen::All,
            (true, false) => Chosen::Some,
            (false, _) => Chosen::None,
        }
    }

    /// The files in a folder, or the file itself.
    fn files(&self, at: usize) -> impl Iterator<Item = &Node> {
        self.nodes[at..self.nodes[at].end].iter().filter(|node| node.file.is_some())
    }

    fn go(&mut self, line: usize) {
        self.cursor = line.min(self.shown.len().saturating_sub(1));
        self.scroll();
    }

    fn scroll(&mut self) {
        self.cursor = self.cursor.min(self.shown.len().saturating_sub(1));
        self.top = self.top.min(self.cursor).max((self.cursor + 1).saturating_sub(self.height));
        // No empty lines below while there are hidden ones above.
        self.top = self.top.min(self.shown.len().saturating_sub(self.height));
    }

    fn here(&self) -> Option<usize> {
        self.shown.get(self.cursor).copied()
    }

    fn fold(&mut self) {
        let Some(at) = self.here() else { return };
        if self.nodes[at].file.is_none() && self.nodes[at].open && self.filter.is_empty() {
            self.nodes[at].open = false;
            self.show();
        } else if let Some(parent) = self.nodes[at].parent
            && let Some(line) = self.shown.iter().position(|&shown| shown == parent)
        {
            self.go(line);
        }
    }

    fn unfold(&mut self) {
        let Some(at) = self.here() else { return };
        if self.nodes[at].file.is_some() {
            return;
        }
        if self.nodes[at].open || !self.filter.is_empty() {
            self.go(self.cursor + 1);
        } else {
            self.nodes[at].open = true;
            self.show();
        }
    }

    /// Chooses what is under the cursor, as far as it passes the filter; or unchooses it where all of that is
    /// chosen.
    fn toggle(&mut self) {
        let Some(at) = self.here() else { return };
        let range = at..self.nodes[at].end;
        let mut meant = self.nodes[range.clone()].iter().filter(|node| node.file.is_some() && node.passes);
        let choose = !meant.all(|node| node.chosen);
        self.choose(range, choose);
    }

    fn choose_all(&mut self, choose: bool) {
        self.choose(0..self.nodes.len(), choose);
    }

    fn choose(&mut self, range: std::ops::Range<usize>, choose: bool) {
        for node in self.nodes[range].iter_mut().filter(|node| node.file.is_some() && node.passes) {
            node.chosen = choose;
        }
    }

    fn edit(&mut self, key: Key) {
        match key {
            Key::Enter => self.typing = false,
            Key::Escape => {
                self.typing = false;
                self.filter.clear();
            }
            Key::Backspace => {
                self.typing = self.filter.pop().is_some();
            }
            Key::Char(c) if !c.is_control() && self.filter.len() < 200 => self.filter.push(c),
            Key::Up => self.go(self.cursor.saturating_sub(1)),
            Key::Down => self.go(self.cursor + 1),
            _ => {}
        }
        if !matches!(key, Key::Up | Key::Down) {
            self.refilter();
        }
    }

    /// Looks again which files pass the filter: all of its words stand in their path, in any case.
    fn refilter(&mut self) {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let mut path: Vec<String> = Vec::new();
        for at in 0..self.nodes.len() {
            let node = &mut self.nodes[at];
            path.truncate(node.depth);
            path.push(node.name.to_lowercase());
            node.passes = false;
            if node.file.is_some() {
                let path = path.join("/");
                node.passes = words.iter().all(|word| path.contains(word));
            }
            let mut around = self.nodes[at].parent.filter(|_| self.nodes[at].passes);
            while let Some(parent) = around.filter(|&parent| !self.nodes[parent].passes) {
                self.nodes[parent].passes = true;
                around = self.nodes[parent].parent;
            }
        }
        self.show();
    }

    /// Lists the lines again: what is not in a folded folder and passes the filter. The cursor stays on what
    /// it was on, or on what is around it.
    fn show(&mut self) {
        let mut keep = self.here();
        self.shown.clear();
        let mut at = 0;
        while at < self.nodes.len() {
            let node = &self.nodes[at];
            if !node.passes {
                at = node.end;
                continue;
            }
            self.shown.push(at);
            at = if node.open || !self.filter.is_empty() { at + 1 } else { node.end };
        }
        while let Some(node) = keep {
            if let Ok(line) = self.shown.binary_search(&node) {
                self.cursor = line;
                break;
            }
            keep = self.nodes[node].parent;
        }
        self.scroll();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::cli::commands::get::pick::tests::torrent;

    fn picker() -> Picker {
        let torrent = torrent(&[("a/x.mkv", 10), ("b.txt", 20), ("a/y.txt", 30), ("c/d/z.mkv", 40)]);
        let mut picker = Picker::new(&torrent, &[true; 4]);
        picker.resize(20);
        picker
    }

    fn press(picker: &mut Picker, keys: &str) -> Step {
        keys.chars().fold(Step::Stay, |_, key| {
            picker.press(match key {
                '\n' => Key::Enter,
                '\u{1b}' => Key::Escape,
                '<' => Key::Backspace,
                c => Key::Char(c),
            })
        })
    }

    /// One line per row: cursor, box, name.
    fn seen(picker: &Picker) -> Vec<String> {
        let line = |row: Row<'_>| {
            let mark = match row.chosen {
                Chosen::All => 'x',
                Chosen::Some => '-',
                Chosen::None => ' ',
            };
            let here = if row.here { ">" } else { "" };
            format!("{here}{mark}{}{}", ".".repeat(row.depth), row.name)
        };
        picker.rows().map(line).collect()
    }

    #[test]
    fn the_tree_is_as_the_torrent_has_it() {
        let picker = picker();
        assert_eq!(
            seen(&picker),
            [">xt", "x.a", "x..x.mkv", "x..y.txt", "x.b.txt", "x.c", "x..d", "x...z.mkv"]
        );
        assert_eq!(picker.rows().map(|row| row.size).collect::<Vec<_>>(), [100, 40, 10, 30, 20, 40, 40, 40]);
        assert_eq!(picker.totals(), (4, 4, 100, 100));
    }

    #[test]
    fn space_takes_a_file_or_a_folder() {
        let mut picker = picker();
        press(&mut picker, "jj ");
        assert_eq!(seen(&picker)[..3], ["-t", "-.a", "> ..x.mkv"]);
        assert_eq!(picker.totals(), (3, 4, 90, 100));
        press(&mut picker, "k ");
        assert_eq!(seen(&picker)[1], ">x.a", "a folder of which some is chosen is chosen as a whole");
        press(&mut picker, " ");
        assert_eq!(seen(&picker)[1..4], ["> .a", " ..x.mkv", " ..y.txt"]);
        let mut wanted = [true; 4];
        picker.mark(&mut wanted);
        assert_eq!(wanted, [false, true, false, true]);
    }

    #[test]
    fn folders_fold_and_the_cursor_stays_in_sight() {
        let mut picker = picker();
        press(&mut picker, "jjjh");
        assert_eq!(seen(&picker)[1], ">x.a", "from a file to its folder");
        press(&mut picker, "h");
        assert_eq!(seen(&picker), ["xt", ">x.a", "x.b.txt", "x.c", "x..d", "x...z.mkv"]);
        press(&mut picker, "l");
        press(&mut picker, "l");
        assert_eq!(seen(&picker)[2], ">x..x.mkv");
        picker.resize(3);
        press(&mut picker, "G");
        assert_eq!(seen(&picker), ["x.c", "x..d", ">x...z.mkv"]);
        assert_eq!(picker.hidden(), (true, false));
        press(&mut picker, "g");
        assert_eq!((seen(&picker)[0].as_str(), picker.hidden()), (">xt", (false, true)));
        picker.press(Key::PageDown);
        assert_eq!(seen(&picker), ["x.a", "x..x.mkv", ">x..y.txt"]);
        picker.resize(50);
        assert_eq!(seen(&picker).len(), 8);
    }

    #[test]
    fn a_filter_narrows_what_is_shown_and_what_keys_mean() {
        let mut picker = picker();
        press(&mut picker, "/MKV");
        assert_eq!(picker.filter(), ("MKV", true));
        assert_eq!(seen(&picker), [">xt", "x.a", "x..x.mkv", "x.c", "x..d", "x...z.mkv"]);
        press(&mut picker, "\nn");
        assert_eq!(picker.totals(), (2, 4, 50, 100), "none of those that are shown");
        press(&mut picker, "\u{1b}");
        assert_eq!(
            seen(&picker),
            [">-t", "-.a", " ..x.mkv", "x..y.txt", "x.b.txt", " .c", " ..d", " ...z.mkv"]
        );
        press(&mut picker, "/a x<<<<");
        assert_eq!(picker.filter(), ("", false), "one backspace too many ends it");
        press(&mut picker, "/q\n");
        assert!(seen(&picker).is_empty());
        press(&mut picker, " ahjl");
        assert_eq!(picker.totals().0, 2, "keys do nothing where nothing is shown");
    }

    #[test]
    fn it_starts_with_something_or_is_left() {
        let mut picker = picker();
        assert_eq!(press(&mut picker, "n\n"), Step::Stay);
        assert!(!picker.word.is_empty());
        assert_eq!(press(&mut picker, "a\n"), Step::Start);
        assert_eq!(press(&mut picker, "q"), Step::Leave);
        assert_eq!(press(&mut picker, "\u{1b}"), Step::Leave);
        assert_eq!(press(&mut picker, "/q\u{1b}"), Step::Stay);
    }

    proptest::proptest! {
        #[test]
        fn no_keys_lead_astray(keys in "[hjklgGan /qx\u{8}\n\u{1b}]{0,60}", height in 0_usize..9) {
            let mut picker = picker();
            picker.resize(height);
            for key in keys.chars() {
                picker.press(match key {
                    '\n' => Key::Enter,
                    '\u{1b}' => Key::Escape,
                    '\u{8}' => Key::Backspace,
                    c => Key::Char(c),
                });
                let here = picker.rows().filter(|row| row.here).count();
                proptest::prop_assert_eq!(here, usize::from(!picker.shown.is_empty()));
            }
        }
    }
}

/// What a merchant sells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Category {
    Grocery,
    Fashion,
    Digital,
    Electronics,
    Travel,
    Donation,
    Food,
    Giftcard,
    Ticket,
    Home,
}

impl Category {
    pub const ALL: [Category; 10] = [
        Category::Grocery,
        Category::Fashion,
        Category::Digital,
        Category::Electronics,
        Category::Travel,
        Category::Donation,
        Category::Food,
        Category::Giftcard,
        Category::Ticket,
        Category::Home,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Category::Grocery => "grocery",
            Category::Fashion => "fashion",
            Category::Digital => "digital",
            Category::Electronics => "electronics",
            Category::Travel => "travel",
            Category::Donation => "donation",
            Category::Food => "food",
            Category::Giftcard => "giftcard",
            Category::Ticket => "ticket",
            Category::Home => "home",
        }
    }

    /// What a typical purchase costs.
    pub(crate) fn ticket(self) -> f64 {
        match self {
            Category::Grocery => 35.0,
            Category::Fashion => 60.0,
            Category::Digital => 9.0,
            Category::Electronics => 180.0,
            Category::Travel => 260.0,
            Category::Donation => 15.0,
            Category::Food => 22.0,
            Category::Giftcard => 70.0,
            Category::Ticket => 80.0,
            Category::Home => 75.0,
        }
    }

    /// Whether what is bought there is easily turned into money, which is what a thief wants.
    pub(crate) fn is_resellable(self) -> bool {
        match self {
            Category::Digital
            | Category::Electronics
            | Category::Giftcard
            | Category::Ticket
            | Category::Fashion => true,
            Category::Grocery
            | Category::Travel
            | Category::Donation
            | Category::Food
            | Category::Home => false,
        }
    }
}

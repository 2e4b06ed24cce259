package doctor

// words say of a broken law what it means to the shop, how bad that is, and what to do next.
type words struct{ means, bad, do string }

// How bad a broken law is.
const (
	now   = "Look now: goods, money or messages may go wrong while it is so."
	today = "Look today: nothing goes wrong by it at once, but something is stuck or not to be relied upon."
	soon  = "No hurry: what is shown or counted differs, what is decided does not."
)

// report is what to do about an offence that people cannot mend.
const report = "Keep a backup of the database as it is (orderly backup) and report it with this line: it is a bug of ours, or somebody changed the database by hand."

// said has the words of every law; a test holds that none is missing.
var said = map[string]words{
	"file-is-sound": {"The database file is damaged, by the disk or by a copy made while it was in use.", now, "Stop the program, restore the last backup (orderly restore), and have the disk looked at."},

	"stock-moves-balance":     {"Units came from nowhere or went nowhere: the stock figures of that SKU are wrong.", now, "Count the SKU at that location (stock.counted, or the Stock page). " + report},
	"stock-never-below-zero":  {"More units were promised or shipped than there were: an order was accepted that cannot be filled.", now, "Count the SKU, and look at the newest orders with it: they may have to be told. " + report},
	"history-is-not-life":     {"An import of old orders moved the stock of today.", now, "Count the SKUs of that import. " + report},
	"stock-is-a-fold":         {"The stock that is shown, and that orders are promised from, is not what was received, reserved and shipped.", now, "Count the SKU at that location: the count puts it right. " + report},
	"stock-reserved-is-held":  {"Units are kept for no order, or an order counts on units that are not kept for it.", now, "Look at the open orders with that SKU, and count it. " + report},
	"stock-moves-have-events": {"A movement of stock says not what caused it; the figures themselves may be right.", today, report},

	"order-state-table": {"An order went where orders cannot go, such as from cancelled back to open: it may be shipped or mailed about wrongly.", now, "Put the order on hold and look at its story. " + report},
	"order-money":       {"More was given back for an order than was taken.", now, "Compare the order with the payment provider. " + report},
	"order-refund-open": {"A buyer cancelled and paid, and nobody is asked to give the money back.", now, "Refund the order by hand, or give it to finance as a task. " + report},
	"order-holds":       {"A finished order keeps units from being sold, or ships more of a line than was kept for it.", today, "Look at the order, and count the SKU. " + report},
	"order-columns":     {"Lists and filters show an order otherwise than its own page does.", soon, "Trust the order's page. " + report},

	"event-once":             {"Something that came in may have been taken twice, or would be taken a second time if its sender repeats it.", now, "Look at the order or the SKU that the event is about. " + report},
	"event-has-its-cause":    {"An order's story has a step without what it followed from.", soon, report},
	"effect-once":            {"A message or request may leave twice, or its destination would not recognise it.", now, "Look at it on the page Effects, and ask its destination what came. " + report},
	"message-once":           {"A customer got, or gets, the same message twice.", today, "Look at the messages on the order's page, and tell the customer if it matters. " + report},
	"history-has-no-effects": {"An import of old orders sent something to a customer or a partner.", now, "Find what left on the page Effects, and tell who got it. " + report},
	"effect-has-its-cause":   {"A message or request is marked as done without an attempt, or says not what caused it: it may not have left.", today, "Ask its destination whether it came. " + report},
	"effect-comes-due":       {"A message or request would wait for longer than a month: it has been forgotten.", today, "orderly effects list --waiting names it. The usual cause is a node whose clock was wrong: set it right, and see that what the effect says is done in another way."},

	"held-orders-have-a-review": {"An order is held and nobody is asked to decide: it would wait for ever.", now, "Open the order and release or cancel it. " + report},
	"waiting-orders-wait":       {"Arriving units would be given to an order that needs none, or an order that needs them is not asked.", today, "Open the order that is named; receiving or counting the SKU tries the others again. " + report},

	"automation-limits": {"An automation did more in an hour, or for more money in a day, than its owner allowed.", now, "Pause it (orderly automations mode NAME paused) and look at what it did on its page. " + report},
	"automation-counts": {"The figures of an automation are not what it did, so its limit may stop it too early or too late.", today, "Pause and resume it: its limits count anew. " + report},

	"run-columns":   {"Lists show a run of an automation otherwise than its own page does.", soon, "Trust the run's page. " + report},
	"run-wakes":     {"A run of an automation waits for what cannot come: its steps would never be done.", today, "Do by hand what it would have done for the order that it is about. " + report},
	"run-text":      {"A run cannot go on, since the text it began with, or its event, is gone.", today, "Do by hand what it would have done; apply the folder that has the text again (orderly apply DIR). " + report},
	"run-retries":   {"A run was begun again in the place of one that had not failed: its steps may have been done twice.", today, "Compare what the two runs did on their pages. " + report},
	"run-ends-once": {"A run went on after its end: its steps may have been done twice.", today, "Look at its page for what was done twice. " + report},

	"policy-is-as-applied": {"The rules in force are not those that somebody applied: the database was changed by hand, or is damaged.", now, "Apply the folder of automations again (orderly apply DIR), and ask who has access to the database."},
	"personal-data-opens":  {"Names and addresses cannot be read: mails and shipping labels cannot be made.", now, "Give the program the key file that belongs to this database (key_file), from the backup of the key."},
	"quarantine":           {"Events could not be decided; they are kept, and what they should have done has not happened.", today, ""},
}

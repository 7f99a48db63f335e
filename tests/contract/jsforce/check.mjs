// Drives a Salesforce with jsforce as a program of its own would, and prints what it saw as one JSON document.
// Usage: node check.mjs ADDRESS
import jsforce from "jsforce";

const address = process.argv[2];
const TICKET = "Zendesk_Ticket__c";
const KEY = "Zendesk_Ticket_ID__c";
const app = { clientId: "sandbox-client", clientSecret: "sandbox-secret", loginUrl: address };

function connection(secret = app.clientSecret) {
  return new jsforce.Connection({ version: "62.0", maxRequest: 10, oauth2: { ...app, clientSecret: secret } });
}

async function refusal(work) {
  try {
    await work();
    return null;
  } catch (error) {
    return { name: error.name, code: error.errorCode ?? null, message: error.message };
  }
}

const brief = (results) => results.map((each) => [each.success, each.errors?.[0]?.statusCode ?? each.created ?? null]);

const conn = connection();
const user = await conn.authorize({ grant_type: "client_credentials" });
const seen = { organization: user.organizationId };
seen.wrongSecret = await refusal(() => connection("wrong").authorize({ grant_type: "client_credentials" }));

// --- describe and limits ---
seen.objects = (await conn.describeGlobal()).sobjects.map((each) => each.name);
const described = await conn.describe(TICKET);
seen.key = described.fields.find((each) => each.name === KEY);
seen.children = (await conn.describe("Account")).childRelationships.map((each) => each.relationshipName);
seen.limits = (await conn.limits()).DailyApiRequests;
seen.usage = conn.limitInfo.apiUsage;
seen.unknownObject = await refusal(() => conn.describe("Nonsense__c"));

// --- writing ---
const many = Array.from({ length: 7 }, (_, n) => ({ [KEY]: `${n}`, Subject__c: `s${n}` }));
seen.upserted = brief(await conn.sobject(TICKET).upsert(many, KEY));
seen.again = brief(await conn.sobject(TICKET).upsert([...many.slice(0, 1), { [KEY]: "8", Nonsense__c: 1 }], KEY));
const one = await conn.sobject(TICKET).upsert({ [KEY]: "acme:9", Subject__c: "one" }, KEY);
seen.one = [one.success, one.created];
const made = await conn.sobject("Account").create([{ Name: "Fresh" }, { Nonsense__c: 1 }]);
seen.created = brief(made);
const fresh = made[0].id;
seen.updated = brief(await conn.sobject("Account").update([{ Id: fresh, Website: "https://x.example" }, { Id: "001000000000001AAA", Name: "x" }]));
await conn.sobject("Customer_Subscription__c").create(
  ["P1", "P2", "P3", "P4"].map((Plan_Name__c) => ({ Account__c: fresh, Plan_Name__c })),
);
seen.retrieved = (await conn.sobject("Account").retrieve(fresh)).Website;
seen.malformed = await refusal(() => conn.sobject(TICKET).upsert({ [KEY]: "9", Account__c: "x" }, KEY));

// --- queries: pages of three (the caller sets it), of rows and of children ---
const first = await conn.query(`SELECT ${KEY} FROM ${TICKET} ORDER BY ${KEY}`);
const second = await conn.queryMore(first.nextRecordsUrl);
seen.pages = [first.totalSize, first.done, first.records.length, second.records.length];
seen.all = (await conn.query(`SELECT ${KEY} FROM ${TICKET} ORDER BY ${KEY}`, { autoFetch: true, maxFetch: 100 })).records.length;
const families = await conn.query(
  `SELECT Id, Name, Owner.Name, (SELECT Plan_Name__c FROM Customer_Subscriptions__r ORDER BY Plan_Name__c) FROM Account WHERE Name IN ('Fresh', 'Acme Ltd') ORDER BY Name`,
);
const [acme, family] = families.records;
const children = family.Customer_Subscriptions__r;
const rest = await conn.queryMore(children.nextRecordsUrl);
seen.family = [...children.records, ...rest.records].map((each) => each.Plan_Name__c);
seen.childless = acme.Customer_Subscriptions__r;
seen.owner = acme.Owner.Name;
seen.badQuery = await refusal(() => conn.query("SELECT Nope__c FROM Account"));

// --- the recycle bin ---
seen.destroyed = brief(await conn.sobject("Account").destroy([fresh, "001000000000001AAA"]));
const where = `SELECT Id, IsDeleted FROM Account WHERE Name = 'Fresh'`;
seen.gone = (await conn.query(where)).totalSize;
seen.bin = (await conn.query(where, { scanAll: true })).records.map((each) => each.IsDeleted);

// --- a session that ends ---
const lost = new jsforce.Connection({ instanceUrl: conn.instanceUrl, accessToken: "00D!lost", version: "62.0" });
seen.expired = await refusal(() => lost.query("SELECT Id FROM Account"));
let refreshed = 0;
const renewing = new jsforce.Connection({
  instanceUrl: conn.instanceUrl,
  accessToken: "00D!lost",
  version: "62.0",
  refreshFn: (_, done) => {
    refreshed += 1;
    done(null, conn.accessToken);
  },
});
seen.renewed = [(await renewing.query("SELECT COUNT() FROM Account")).totalSize, refreshed];

console.log(JSON.stringify(seen));

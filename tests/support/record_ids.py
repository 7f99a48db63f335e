"""Ids of 15 characters with the suffix that makes 18 of them, as published: docs/vendors/salesforce.md#record-ids."""

VECTORS = {
    "0015500001QdZPK": "AA3",
    "0035500001H9kZu": "AAJ",
    "0035500001H9ka0": "AAB",
    "0035500001H9kaA": "AAR",
    "0065500000KQ12X": "AAT",
    "a0D30000001n7Pi": "EAI",
    "0019000000B98de": "AAB",
    "0018a00001rBqb8": "AAC",
    "001D000000IqhSL": "IAZ",
    "a02D0000006YUHr": "IAO",
    "00136000011sQHJ": "AA2",
    "0014M00001sGJ8x": "QAG",
    "0015000000Gf1AB": "AAZ",
}

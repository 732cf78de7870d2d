/* Stories of votes: given once, on disk before they are told, kept across a crash. */
#include "tests/sim/faults.h"
#include "tests/sim/stories.h"

/* All bid in the same millisecond: nobody wins, and one more round decides. */
STORY(split_vote_then_another_round, 3, 3)
{
    story_same_rank(w);
    story_kill(w, "n1");
    story_wait(w, 3000);
    story_expect(w,
        "[     0] n1  is killed\n"
        "[     1] s3  +crash-evidence master orders n1\n"
        "[     1] s3  +sdown master orders n1\n"
        "[     1] s2  +crash-evidence master orders n1\n"
        "[     1] s2  +sdown master orders n1\n"
        "[     1] s1  +crash-evidence master orders n1\n"
        "[     1] s1  +sdown master orders n1\n"
        "[     2] s3  +odown master orders n1 #quorum 2/2\n"
        "[     2] s3  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s3  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[     2] s2  +odown master orders n1 #quorum 2/2\n"
        "[     2] s2  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s2  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[     2] s1  +odown master orders n1 #quorum 2/2\n"
        "[     2] s1  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[     3] s3  +vote-for-leader s3 1\n"
        "[     3] s2  +vote-for-leader s2 1\n"
        "[     3] s1  +vote-for-leader s1 1\n"
        "[     4] s3  bidding->waiting epoch=1: every answer is in and it is no majority\n"
        "[     4] s2  bidding->waiting epoch=1: every answer is in and it is no majority\n"
        "[     4] s1  bidding->waiting epoch=1: every answer is in and it is no majority\n"
        "[   120] s1  waiting->bidding epoch=1: it is our turn to ask for votes\n"
        "[   121] s1  +vote-for-leader s1 2\n"
        "[   122] s3  +vote-for-leader s1 2\n"
        "[   122] s2  +vote-for-leader s1 2\n"
        "[   123] s1  bidding->asking epoch=2: a majority gave us this epoch\n"
        "[   124] s1  asking->choosing epoch=2: every reachable replica told its offset\n"
        "[   124] s1  choosing->sealing epoch=2: first they are drawn off the old primary, so that where they are is where they stay\n"
        "[   124] s1  orders n3 to follow nobody\n"
        "[   124] s1  orders n2 to follow nobody\n"
        "[   124] n3  waiting -> connecting: told to follow another node\n"
        "[   124] n2  waiting -> connecting: told to follow another node\n"
        "[   125] s1  sealing->choosing epoch=2: every reachable replica is sealed and told its offset\n"
        "[   125] s1  choosing->promoting epoch=2: the best replica of this moment\n"
        "[   125] s1  orders n3 to be primary\n"
        "[   125] n3  waiting -> primary: told to be primary\n"
        "[   126] s1  promoting->repointing epoch=2: the replica now says it is primary\n"
        "[   127] s1  +switch-master orders n1 n3\n"
        "[   127] s1  orders n2 to follow n3\n"
        "[   127] s3  waiting->idle epoch=1: a newer configuration settles it\n"
        "[   127] s3  +switch-master orders n1 n3\n"
        "[   127] s2  waiting->idle epoch=1: a newer configuration settles it\n"
        "[   127] s2  +switch-master orders n1 n3\n"
        "[   127] n2  waiting -> connecting n3: told to follow another node\n"
        "[   129] n2  connecting -> following n3: our history goes on under another id\n"
        "[   377] s1  repointing->idle epoch=2: every reachable replica follows it\n");
}

/* The leader dies after it was elected, before it promoted anybody. */
STORY(leader_dies_in_the_middle, 3, 3)
{
    story_kill(w, "n1");
    story_wait_us(w, 5600);
    story_kill(w, "s1");
    story_wait(w, 14000);
    story_expect(w,
        "[     0] n1  is killed\n"
        "[     1] s3  +crash-evidence master orders n1\n"
        "[     1] s3  +sdown master orders n1\n"
        "[     1] s2  +crash-evidence master orders n1\n"
        "[     1] s2  +sdown master orders n1\n"
        "[     1] s1  +crash-evidence master orders n1\n"
        "[     1] s1  +sdown master orders n1\n"
        "[     2] s3  +odown master orders n1 #quorum 2/2\n"
        "[     2] s3  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s2  +odown master orders n1 #quorum 2/2\n"
        "[     2] s2  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  +odown master orders n1 #quorum 2/2\n"
        "[     2] s1  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[     3] s1  +vote-for-leader s1 1\n"
        "[     5] s3  +vote-for-leader s1 1\n"
        "[     5] s2  +vote-for-leader s1 1\n"
        "[     5] s1  bidding->asking epoch=1: a majority gave us this epoch\n"
        "[     5] s1  is killed\n"
        "[   133] s3  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[   134] s3  +vote-for-leader s3 2\n"
        "[   135] s2  +vote-for-leader s3 2\n"
        "[   136] s3  bidding->asking epoch=2: a majority gave us this epoch\n"
        "[   137] s3  asking->choosing epoch=2: every reachable replica told its offset\n"
        "[   137] s3  choosing->sealing epoch=2: first they are drawn off the old primary, so that where they are is where they stay\n"
        "[   137] s3  orders n3 to follow nobody\n"
        "[   137] s3  orders n2 to follow nobody\n"
        "[   137] n3  waiting -> connecting: told to follow another node\n"
        "[   137] n2  waiting -> connecting: told to follow another node\n"
        "[   138] s3  sealing->choosing epoch=2: every reachable replica is sealed and told its offset\n"
        "[   138] s3  choosing->promoting epoch=2: the best replica of this moment\n"
        "[   138] s3  orders n3 to be primary\n"
        "[   138] n3  waiting -> primary: told to be primary\n"
        "[   139] s3  promoting->repointing epoch=2: the replica now says it is primary\n"
        "[   140] s3  +switch-master orders n1 n3\n"
        "[   140] s3  orders n2 to follow n3\n"
        "[   140] s2  waiting->idle epoch=0: a newer configuration settles it\n"
        "[   140] s2  +switch-master orders n1 n3\n"
        "[   140] n2  waiting -> connecting n3: told to follow another node\n"
        "[   142] n2  connecting -> following n3: our history goes on under another id\n"
        "[   390] s3  repointing->idle epoch=2: every reachable replica follows it\n");
}

/* A voter dies when its vote is on disk and not yet told; back again it has not forgotten. */
STORY(vote_outlives_a_crash, 3, 3)
{
    story_next_save(w, "s2", SAVE_CRASH_AFTER);
    story_kill(w, "s3");
    story_kill(w, "n1");
    story_wait(w, 50);
    story_start(w, "s2");
    story_wait(w, 12000);
    story_expect(w,
        "[     0] s3  is killed\n"
        "[     0] n1  is killed\n"
        "[     1] s2  +crash-evidence master orders n1\n"
        "[     1] s2  +sdown master orders n1\n"
        "[     1] s1  +crash-evidence master orders n1\n"
        "[     1] s1  +sdown master orders n1\n"
        "[     2] s2  +odown master orders n1 #quorum 2/2\n"
        "[     2] s2  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  +odown master orders n1 #quorum 2/2\n"
        "[     2] s1  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[     3] s1  +vote-for-leader s1 1\n"
        "[     5] s2  is killed\n"
        "[     5] s1  bidding->waiting epoch=1: every answer is in and it is no majority\n"
        "[    50] s2  starts again\n"
        "[   109] s1  -odown master orders n1\n"
        "[   109] s1  waiting->idle epoch=1: the primary is back before anybody moved\n"
        "[  5051] s2  +sdown master orders n1\n"
        "[  5052] s2  +odown master orders n1 #quorum 2/2\n"
        "[  5052] s2  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[  5055] s1  +odown master orders n1 #quorum 2/2\n"
        "[  5055] s1  idle->waiting epoch=1: a quorum sees the primary down\n"
        "[  5055] s1  waiting->bidding epoch=1: it is our turn to ask for votes\n"
        "[  5056] s1  +vote-for-leader s1 2\n"
        "[  5057] s2  +vote-for-leader s1 2\n"
        "[  5058] s1  bidding->asking epoch=2: a majority gave us this epoch\n"
        "[  5059] s1  asking->choosing epoch=2: every reachable replica told its offset\n"
        "[  5059] s1  choosing->sealing epoch=2: first they are drawn off the old primary, so that where they are is where they stay\n"
        "[  5059] s1  orders n3 to follow nobody\n"
        "[  5059] s1  orders n2 to follow nobody\n"
        "[  5059] n3  waiting -> connecting: told to follow another node\n"
        "[  5059] n2  waiting -> connecting: told to follow another node\n"
        "[  5060] s1  sealing->choosing epoch=2: every reachable replica is sealed and told its offset\n"
        "[  5060] s1  choosing->promoting epoch=2: the best replica of this moment\n"
        "[  5060] s1  orders n3 to be primary\n"
        "[  5060] n3  waiting -> primary: told to be primary\n"
        "[  5061] s1  promoting->repointing epoch=2: the replica now says it is primary\n"
        "[  5062] s1  +switch-master orders n1 n3\n"
        "[  5062] s1  orders n2 to follow n3\n"
        "[  5062] s2  waiting->idle epoch=0: a newer configuration settles it\n"
        "[  5062] s2  +switch-master orders n1 n3\n"
        "[  5062] n2  waiting -> connecting n3: told to follow another node\n"
        "[  5064] n2  connecting -> following n3: our history goes on under another id\n"
        "[  5312] s1  repointing->idle epoch=2: every reachable replica follows it\n");
}

/* Disks that fail: whoever cannot save does not vote, and without votes nobody leads. */
STORY(no_save_no_vote, 3, 3)
{
    story_break_disk(w, "s2", true);
    story_break_disk(w, "s3", true);
    story_kill(w, "n1");
    story_wait(w, 4000);
    story_expect(w,
        "[     0] n1  is killed\n"
        "[     1] s3  +crash-evidence master orders n1\n"
        "[     1] s3  +sdown master orders n1\n"
        "[     1] s2  +crash-evidence master orders n1\n"
        "[     1] s2  +sdown master orders n1\n"
        "[     1] s1  +crash-evidence master orders n1\n"
        "[     1] s1  +sdown master orders n1\n"
        "[     2] s3  +odown master orders n1 #quorum 2/2\n"
        "[     2] s3  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s2  +odown master orders n1 #quorum 2/2\n"
        "[     2] s2  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  +odown master orders n1 #quorum 2/2\n"
        "[     2] s1  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[     3] s1  +vote-for-leader s1 1\n"
        "[     5] s3  cannot save\n"
        "[     5] s3  -state-not-saved state could not be saved: this sentinel does not vote until it can\n"
        "[     5] s2  cannot save\n"
        "[     5] s2  -state-not-saved state could not be saved: this sentinel does not vote until it can\n"
        "[     5] s1  bidding->waiting epoch=1: every answer is in and it is no majority\n"
        "[   137] s1  waiting->bidding epoch=1: it is our turn to ask for votes\n"
        "[   138] s1  +vote-for-leader s1 2\n"
        "[   139] s3  cannot save\n"
        "[   139] s2  cannot save\n"
        "[   140] s1  bidding->waiting epoch=2: every answer is in and it is no majority\n"
        "[   354] s1  waiting->bidding epoch=2: it is our turn to ask for votes\n"
        "[   355] s1  +vote-for-leader s1 3\n"
        "[   356] s3  cannot save\n"
        "[   356] s2  cannot save\n"
        "[   357] s1  bidding->waiting epoch=3: every answer is in and it is no majority\n"
        "[  1029] s1  waiting->bidding epoch=3: it is our turn to ask for votes\n"
        "[  1030] s1  +vote-for-leader s1 4\n"
        "[  1031] s3  cannot save\n"
        "[  1031] s2  cannot save\n"
        "[  1032] s1  bidding->waiting epoch=4: every answer is in and it is no majority\n"
        "[  2181] s1  waiting->bidding epoch=4: it is our turn to ask for votes\n"
        "[  2182] s1  +vote-for-leader s1 5\n"
        "[  2183] s3  cannot save\n"
        "[  2183] s2  cannot save\n"
        "[  2184] s1  bidding->waiting epoch=5: every answer is in and it is no majority\n");
    story_check(w, story_named_by(w, "s1")[1] == '1', "s1 still names n1");
    story_break_disk(w, "s2", false);
    story_wait(w, 15000);
    story_check(w, story_named_by(w, "s1")[1] != '1', "with one disk repaired another primary is made");
}

/* The candidate cannot save its own vote: it does not even ask, and another leads. */
STORY(candidate_without_a_disk, 3, 3)
{
    story_break_disk(w, "s1", true);
    story_kill(w, "n1");
    story_wait(w, 6000);
    story_expect(w,
        "[     0] n1  is killed\n"
        "[     1] s3  +crash-evidence master orders n1\n"
        "[     1] s3  +sdown master orders n1\n"
        "[     1] s2  +crash-evidence master orders n1\n"
        "[     1] s2  +sdown master orders n1\n"
        "[     1] s1  +crash-evidence master orders n1\n"
        "[     1] s1  +sdown master orders n1\n"
        "[     2] s3  +odown master orders n1 #quorum 2/2\n"
        "[     2] s3  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s2  +odown master orders n1 #quorum 2/2\n"
        "[     2] s2  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  +odown master orders n1 #quorum 2/2\n"
        "[     2] s1  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[     3] s1  cannot save\n"
        "[     3] s1  -state-not-saved state could not be saved: this sentinel does not vote until it can\n"
        "[     3] s1  bidding->idle epoch=1: our vote is not on disk, so it was not given\n"
        "[     3] s1  idle->waiting epoch=1: a quorum sees the primary down\n"
        "[    17] s2  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[    18] s2  +vote-for-leader s2 1\n"
        "[    19] s3  +vote-for-leader s2 1\n"
        "[    19] s1  cannot save\n"
        "[    20] s2  bidding->asking epoch=1: a majority gave us this epoch\n"
        "[    21] s2  asking->choosing epoch=1: every reachable replica told its offset\n"
        "[    21] s2  choosing->sealing epoch=1: first they are drawn off the old primary, so that where they are is where they stay\n"
        "[    21] s2  orders n3 to follow nobody\n"
        "[    21] s2  orders n2 to follow nobody\n"
        "[    21] n3  waiting -> connecting: told to follow another node\n"
        "[    21] n2  waiting -> connecting: told to follow another node\n"
        "[    22] s2  sealing->choosing epoch=1: every reachable replica is sealed and told its offset\n"
        "[    22] s2  choosing->promoting epoch=1: the best replica of this moment\n"
        "[    22] s2  orders n3 to be primary\n"
        "[    22] n3  waiting -> primary: told to be primary\n"
        "[    23] s2  promoting->repointing epoch=1: the replica now says it is primary\n"
        "[    24] s2  +switch-master orders n1 n3\n"
        "[    24] s2  orders n2 to follow n3\n"
        "[    24] s3  waiting->idle epoch=0: a newer configuration settles it\n"
        "[    24] s3  +switch-master orders n1 n3\n"
        "[    24] s1  waiting->idle epoch=1: a newer configuration settles it\n"
        "[    24] s1  +switch-master orders n1 n3\n"
        "[    24] n2  waiting -> connecting n3: told to follow another node\n"
        "[    25] s1  cannot save\n"
        "[    26] n2  connecting -> following n3: our history goes on under another id\n"
        "[   274] s2  repointing->idle epoch=1: every reachable replica follows it\n");
}

namespace ChannelBridge.Core;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int BridgeLifetimeStopping = 1001;
    public const int BridgeLifetimeChannelStopFailed = 1002;
    public const int BridgeLifetimeChannelStartFailed = 1003;
    public const int StoredTokensInTouch = 1101;
    public const int StoredTokensOutOfTouch = 1102;
    public const int StoredTokensClosing = 1103;
    public const int AccessAuditFailed = 1104;
    public const int TurnSchedulerHandingBack = 2001;
    public const int TurnSchedulerUnknownAgent = 2002;
    public const int TurnSchedulerLoadFailed = 2003;
    public const int TurnSchedulerResumeFailed = 2004;
    public const int TurnSchedulerTurnBroken = 2005;
    public const int TurnSchedulerClaimLost = 2006;
    public const int TurnRunnerTurnFailed = 2101;
    public const int TurnRunnerCommitFailed = 2102;
    public const int ConversationMemoryDamaged = 2103;
    public const int TurnRunnerEndingFailed = 2104;
    public const int TurnEventsListenerFailed = 2111;
    public const int TurnsLookFailed = 2121;
    public const int AccountOutboxFillFailed = 2201;
    public const int AccountOutboxWalkFailed = 2202;
    public const int AccountOutboxDead = 2203;
    public const int AccountOutboxRetry = 2204;
    public const int AccountOutboxReceiptLost = 2205;
    public const int AccountOutboxHeld = 2206;
    public const int StoreJanitorSwept = 2301;
    public const int StoreJanitorSweepFailed = 2302;
    public const int DeadLetterRetentionTooOld = 2303;
    public const int DeadLetterRetentionTooMany = 2304;
    public const int DeadLetterRetentionMessagesTooOld = 2305;
    public const int DeadLetterMethodsChanged = 2401;
    public const int ResponseRunJournalFailed = 2501;
    public const int ResponseRunsFailed = 2511;
    public const int ResponseRunsEnded = 2512;
    public const int ResponseRunsNotStored = 2513;
    public const int ResponseRunsLeaves = 2514;
    public const int ReplayFolderRecovered = 2521;
    public const int ReplayFolderNotRecovered = 2522;
    public const int ReplayFolderNotSwept = 2523;
    public const int ReplayFolderLeft = 2524;
    public const int ResponsePumpTooMany = 2531;
    public const int ResponsePumpStopped = 2532;
    public const int ResponsePumpFailed = 2533;
    public const int SpoolUnusable = 2601;
    public const int GateFailed = 2611;
    public const int GateAbandoned = 2612;
    public const int GateSyncFailed = 2613;
    public const int TransferSweeperSwept = 2621;
    public const int TransferSweeperFailed = 2622;
    public const int DownloadsNotRemembered = 2631;
    public const int TurnFilesNotTaken = 2641;
    public const int DiagnosticsMethodsSectionFailed = 10001;
}

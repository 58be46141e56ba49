using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr.Policy;
using ChannelBridge.Channels.Bncr.Routing;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>The accounts: configured, known from before, or new. An account keeps the spelling under which it was first seen.</summary>
internal sealed partial class BncrAccounts(
    IRecords records, BncrPolicies policies, BncrOptions options, TimeProvider time, ILogger<BncrAccounts> logger)
{
    public const string Namespace = "bncr.account";

    private readonly ConcurrentDictionary<string, BncrAccount> _accounts = new();

    public IEnumerable<BncrAccount> All => _accounts.Values;

    /// <summary>Reads the accounts of earlier runs.</summary>
    public async ValueTask LoadAsync(CancellationToken cancellationToken)
    {
        foreach (var display in policies.DisplayIds) Make(display);
        Make(AccountIds.Primary);
        string? after = null;
        while (_accounts.Count < options.MaxAccounts)
        {
            var page = await records.ListRecordsAsync(Namespace, null, after, 1000, cancellationToken).ConfigureAwait(false);
            foreach (var record in page) Make(Encoding.UTF8.GetString(record.Value.Span)).Recorded = true;
            if (page.Count < 1000) return;
            after = page[^1].Key;
        }
    }

    /// <summary>The account that a caller names; made if new.</summary>
    /// <exception cref="BridgeException">The id is malformed, the caller's token doesn't cover it, or there are too many accounts.</exception>
    public BncrAccount Resolve(string? accountId, Caller caller)
    {
        var display = AccountIds.Normalize(accountId);
        Check(display, caller);
        if (_accounts.TryGetValue(AccountIds.Key(display), out var account)) return account;
        if (_accounts.Count >= options.MaxAccounts)
        {
            throw BridgeException.Busy($"there are {options.MaxAccounts} bncr accounts, which is the limit (Channels:Bncr:MaxAccounts)", TimeSpan.FromMinutes(1));
        }

        return Make(display);
    }

    /// <summary>The account that a caller asks about: a passing one when it doesn't exist.</summary>
    /// <exception cref="BridgeException">The id is malformed, or the caller's token doesn't cover it.</exception>
    public BncrAccount Look(string? accountId, Caller? caller = null)
    {
        var display = AccountIds.Normalize(accountId);
        if (caller is not null) Check(display, caller);
        var key = AccountIds.Key(display);
        return _accounts.TryGetValue(key, out var account) ? account : new BncrAccount(display, key, policies.For(key));
    }

    public bool TryGet(string accountId, [NotNullWhen(true)] out BncrAccount? account) => _accounts.TryGetValue(AccountIds.Key(AccountIds.Normalize(accountId)), out account);

    /// <summary>
    /// Takes an account out of memory and store; false when there was none. A client that comes with its name makes it anew.
    /// </summary>
    public async ValueTask<bool> ForgetAsync(BncrAccount account)
    {
        var there = _accounts.TryRemove(account.Key, out _);
        await records.WriteAsync([new RecordDelete { Namespace = Namespace, Key = account.Key },
            new RecordDelete { Namespace = StatsBook.Namespace, Key = account.Key }])
            .ConfigureAwait(false);
        return there;
    }

    /// <summary>
    /// Puts the account's record, once. A failure is logged and no more: the record only serves to show the account before its clients are back, and the
    /// next call tries again.
    /// </summary>
    public ValueTask RecordAsync(BncrAccount account) => account.Recorded ? ValueTask.CompletedTask : PutAsync(account);

    private async ValueTask PutAsync(BncrAccount account)
    {
        try
        {
            await records.WriteAsync(
                new RecordPut
                {
                    Namespace = Namespace,
                    Key = account.Key,
                    Value = Encoding.UTF8.GetBytes(account.DisplayId),
                    At = time.GetUtcNow().ToUnixTimeMilliseconds(),
                }).ConfigureAwait(false);
            account.Recorded = true;
        }
        catch (Exception fault)
        {
            LogNotWritten(logger, fault, account.DisplayId);
        }
    }

    private static void Check(string display, Caller caller)
    {
        if (caller.MayUseAccount(display)) return;
        throw Refusals.Make(
            ErrorCodes.Forbidden, "account-not-covered", $"your access token doesn't cover account '{display}'; use one of its accounts or another token");
    }

    private BncrAccount Make(string display)
    {
        var key = AccountIds.Key(display);
        return _accounts.GetOrAdd(key, static (key, state) => new BncrAccount(state.display, key, state.policies.For(key)), (display, policies));
    }

    [LoggerMessage(EventId = LogEvents.BncrAccountsNotWritten, Level = LogLevel.Warning, Message = "Couldn't record account {Account}")]
    private static partial void LogNotWritten(ILogger logger, Exception fault, string account);
}

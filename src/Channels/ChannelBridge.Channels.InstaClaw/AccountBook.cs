using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.InstaClaw;

/// <summary>The accounts of this host by id.</summary>
internal sealed class AccountBook(IReadOnlyList<InstaClawAccount> accounts)
{
    /// <summary>All of them; none when the channel isn't configured.</summary>
    public IReadOnlyList<InstaClawAccount> All => accounts;

    /// <summary>The account that a caller means: the named one, or the only one.</summary>
    /// <exception cref="BridgeException"><c>UNAVAILABLE</c>: the channel isn't configured. <c>NOT_FOUND</c>, <c>FORBIDDEN</c>;
    /// <c>INVALID_REQUEST</c>: it isn't clear which.</exception>
    public InstaClawAccount Look(string? accountId, Caller caller)
    {
        if (accounts.Count == 0)
        {
            throw new BridgeException(ErrorCodes.Unavailable, "The InstaClaw channel isn't configured: name Channels:InstaClaw:WsUrl.");
        }

        if (string.IsNullOrWhiteSpace(accountId))
        {
            // A token that is limited to accounts means one of its own.
            var own = accounts.Where(account => caller.MayUseAccount(account.Id)).ToList();
            return own.Count switch
            {
                1 => own[0],
                0 => throw Forbidden(),
                _ => own.Find(account => AccountIds.Key(account.Id) == AccountIds.Default)
                    ?? throw BridgeException.Invalid($"accountId is required: {string.Join(", ", own.Select(account => account.Id))}"),
            };
        }

        if (!caller.MayUseAccount(accountId)) throw Forbidden();
        return accounts.FirstOrDefault(account => string.Equals(account.Id, accountId.Trim(), StringComparison.OrdinalIgnoreCase))
            ?? throw new BridgeException(ErrorCodes.NotFound, "There is no such InstaClaw account; the settings name them under Channels:InstaClaw:Accounts.");
    }

    private static BridgeException Forbidden() => new(ErrorCodes.Forbidden, "The token isn't for that account.");
}

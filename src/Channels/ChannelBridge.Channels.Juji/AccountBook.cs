using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Juji.Connector;

namespace ChannelBridge.Channels.Juji;

/// <summary>The accounts of this host by id.</summary>
internal sealed class AccountBook(IReadOnlyList<JujiAccount> accounts)
{
    /// <summary>All of them; none when the connector isn't configured.</summary>
    public IReadOnlyList<JujiAccount> All => accounts;

    /// <summary>The account of an id, or null.</summary>
    public JujiAccount? Find(string accountId) => accounts.FirstOrDefault(account => AccountIds.Key(account.Id) == AccountIds.Key(accountId.Trim()));

    /// <summary>The account that a caller means: the named one, or the only one.</summary>
    /// <exception cref="BridgeException"><c>UNAVAILABLE</c>: the channel isn't configured. <c>NOT_FOUND</c>, <c>FORBIDDEN</c>; <c>INVALID_REQUEST</c>: it isn't
    /// clear which.</exception>
    public JujiAccount Look(string? accountId, Caller caller)
    {
        if (accounts.Count == 0) throw new BridgeException(ErrorCodes.Unavailable, "The Juji channel isn't configured: name Channels:Juji:BaseUrl or an account.");
        if (string.IsNullOrWhiteSpace(accountId))
        {
            // A token that is limited to accounts means one of its own.
            var own = accounts.Where(account => caller.MayUseAccount(account.Id)).ToList();
            return own.Count switch
            {
                1 => own[0],
                0 => throw Forbidden(),
                _ => own.Find(static account => AccountIds.Key(account.Id) == AccountIds.Default)
                    ?? throw BridgeException.Invalid($"accountId is required: {string.Join(", ", own.Select(static account => account.Id))}"),
            };
        }

        if (!caller.MayUseAccount(accountId)) throw Forbidden();
        return Find(accountId) ?? throw new BridgeException(ErrorCodes.NotFound, "There is no such Juji account; the settings name them under Channels:Juji:Accounts.");
    }

    private static BridgeException Forbidden() => new(ErrorCodes.Forbidden, "The token isn't for that account.");
}

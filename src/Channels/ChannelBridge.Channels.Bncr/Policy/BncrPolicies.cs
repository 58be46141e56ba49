using ChannelBridge.Channels.Bncr.Routing;

namespace ChannelBridge.Channels.Bncr.Policy;

/// <summary>The settings of all accounts, made once of <see cref="BncrOptions"/>.</summary>
internal sealed class BncrPolicies
{
    private readonly AccountPolicy _channel;
    private readonly Dictionary<string, AccountPolicy> _accounts = [];

    public BncrPolicies(BncrOptions options)
    {
        _channel = new AccountPolicy(options, null);
        foreach (var (id, account) in options.Accounts)
        {
            var display = AccountIds.Normalize(id);
            _accounts[AccountIds.Key(display)] = new AccountPolicy(options, account);
            DisplayIds.Add(display);
        }
    }

    /// <summary>The configured accounts, as they are written there.</summary>
    public List<string> DisplayIds { get; } = [];

    public AccountPolicy For(string accountKey) => _accounts.GetValueOrDefault(accountKey, _channel);
}

namespace ChannelBridge.Channels.Aun;

public sealed partial class AunOptions
{
    /// <summary>The identities of this host on others' gateways, by account id.</summary>
    public IDictionary<string, AunAccountOptions> Accounts { get; } = new Dictionary<string, AunAccountOptions>(StringComparer.OrdinalIgnoreCase);

    /// <summary>What all accounts have in common.</summary>
    public AunConnectorOptions Connector { get; } = new();

    /// <summary>The agent that answers messages to accounts that name none.</summary>
    public string Agent { get; set; } = "echo";

    /// <summary>False: to a receiver without prekeys it is sealed with the identities' keys alone. Default true: then it isn't sent.</summary>
    public bool RequireForwardSecrecy { get; set; } = true;
}

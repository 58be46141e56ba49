using ChannelBridge.Abstractions.Access;
using ChannelBridge.Core.Access;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the access tokens of the store.</summary>
public static class AccessServices
{
    /// <summary>
    /// Adds the tokens of the store beside those of the settings, the methods <c>access.tokens.*</c> and the audit. <c>AddChannelBridge</c> starts them with the store.
    /// </summary>
    /// <param name="services">The container.</param>
    /// <param name="tokens">The tokens of the settings, the first token among them.</param>
    /// <param name="configure">Sets times and bounds.</param>
    public static IServiceCollection AddAccess(this IServiceCollection services, IEnumerable<AccessToken> tokens, Action<AccessOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(tokens);
        var options = new AccessOptions();
        configure?.Invoke(options);
        services.TryAddSingleton(options);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<StoredTokens>();
        services.TryAddSingleton<AccessAudit>();
        services.TryAddSingleton<IAccessAudit>(provider => provider.GetRequiredService<AccessAudit>());
        services.TryAddSingleton(provider => new TokenAuthority(tokens, provider.GetRequiredService<StoredTokens>()));
        services.TryAddSingleton<ITokenAuthority>(provider => provider.GetRequiredService<TokenAuthority>());
        services.TryAddSingleton<ITokenStore, TokenStore>();
        services.AddContributor<TokenMethods>();
        return services;
    }
}

using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Access.Devices;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Says who may come in: the access tokens of a host, and those of its store.</summary>
public static class AccessServices
{
    /// <summary>
    /// Adds the tokens of the store, the methods <c>access.tokens.*</c> and the audit. <see cref="AddToken"/> and <see cref="AddTokenFile"/> do so, too.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets times and bounds.</param>
    public static IChannelBridgeBuilder AddAccess(this IChannelBridgeBuilder builder, Action<AccessOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddAccess([], configure);
        return builder;
    }

    /// <summary>Says how devices come in: clients of the OpenClaw protocol that have a key of their own.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets what is approved by itself, what is required, and the bounds.</param>
    public static IChannelBridgeBuilder AddDevices(this IChannelBridgeBuilder builder, Action<DeviceOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.AddAccess([]);
        configure((DeviceOptions)builder.Services.Single(service => service.ServiceType == typeof(DeviceOptions)).ImplementationInstance!);
        return builder;
    }

    /// <summary>
    /// Adds an access token. With the first one come the tokens of the store, the methods <c>access.tokens.*</c> and the audit.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="name">What callers with this token are called in logs, diagnostics and the audit; each token has its own.</param>
    /// <param name="token">The token: a secret, 4,096 characters at most. Only its SHA-256 is kept.</param>
    /// <param name="scopes">What it allows.</param>
    /// <exception cref="ArgumentException">Name or token is empty.</exception>
    public static IChannelBridgeBuilder AddToken(this IChannelBridgeBuilder builder, string name, string token, Scopes scopes)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddAccess([AccessToken.FromToken(name, token, scopes)]);
        return builder;
    }

    /// <summary>
    /// Adds the access token that stands in the first line of a file; where there is no file, the host makes one at its start, with a new token, for
    /// its own user alone. Otherwise as <see cref="AddToken"/>.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="path">
    /// The file. The OpenClaw plugin looks for one named <c>token</c> in its <c>dataDirectory</c>, beside the socket <c>channelbridge.sock</c>.
    /// </param>
    /// <param name="name">What callers with this token are called; default <c>first</c>.</param>
    /// <param name="scopes">What it allows; default everything.</param>
    /// <remarks>The start fails with an <see cref="IOException"/> or <see cref="InvalidDataException"/> when the file can't be used.</remarks>
    public static IChannelBridgeBuilder AddTokenFile(
        this IChannelBridgeBuilder builder, string path, string name = AccessToken.FirstName, Scopes scopes = Scopes.All)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentException.ThrowIfNullOrEmpty(name);
        builder.Services.AddSingleton(new GivenToken(() => AccessToken.FromToken(name, TokenFile.ReadOrMake(path), scopes)));
        builder.Services.AddAccess([]);
        return builder;
    }

    /// <summary>
    /// Adds the tokens of the store beside given ones, the devices, the methods <c>access.tokens.*</c> and <c>device.*</c>, and the audit.
    /// <c>AddChannelBridge</c> starts them with the store.
    /// </summary>
    /// <param name="services">The container.</param>
    /// <param name="tokens">The tokens of the settings, the first token among them; those of another call are kept.</param>
    /// <param name="configure">Sets times and bounds.</param>
    internal static IServiceCollection AddAccess(this IServiceCollection services, IEnumerable<AccessToken> tokens, Action<AccessOptions>? configure = null)
    {
        foreach (var token in tokens) services.AddSingleton(new GivenToken(() => token));
        var known = services.FirstOrDefault(service => service.ServiceType == typeof(AccessOptions));
        var options = known?.ImplementationInstance as AccessOptions ?? new AccessOptions();
        configure?.Invoke(options);
        if (known is not null) return services;
        services.AddSingleton(options);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<StoredTokens>();
        services.TryAddSingleton<AccessAudit>();
        services.TryAddSingleton<IAccessAudit>(provider => provider.GetRequiredService<AccessAudit>());
        services.TryAddSingleton(provider => new TokenAuthority(
            provider.GetServices<GivenToken>().Select(given => given.Make()), provider.GetRequiredService<StoredTokens>()));
        services.TryAddSingleton<ITokenAuthority>(provider => provider.GetRequiredService<TokenAuthority>());
        services.TryAddSingleton<ITokenStore, TokenStore>();
        services.TryAddSingleton<ISecretSeal>(provider => new SecretSeal(
            options.SealKeyFile ?? (provider.GetService<HostFacts>()?.DataDirectory is { } folder ? Path.Combine(folder, "key") : null)));
        services.AddContributor<TokenMethods>();
        services.TryAddSingleton(new DeviceOptions());
        services.TryAddSingleton<DeviceStore>();
        services.TryAddSingleton<LiveDevices>();
        services.TryAddSingleton<DeviceEvents>();
        services.TryAddSingleton<DevicePairing>();
        services.AddContributor<DeviceMethods>();
        return services;
    }

    /// <summary>Says what is missing before a door asks for it.</summary>
    /// <exception cref="InvalidOperationException">Nothing says who may come in.</exception>
    internal static void RequireTokens(IServiceProvider provider)
    {
        if (provider.GetService<IServiceProviderIsService>()?.IsService(typeof(ITokenAuthority)) is false)
            throw new InvalidOperationException(
                "The doors have no access token: call AddTokenFile(…) or AddToken(…) on the builder that AddChannelBridge returns, or register an ITokenAuthority.");
    }

    /// <summary>A token that the program gives, read when the host starts.</summary>
    private sealed record GivenToken(Func<AccessToken> Make);
}

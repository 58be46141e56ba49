using System.Runtime.InteropServices;
using NSec.Cryptography;

namespace ChannelBridge.Identity;

/// <summary>NSec's Ed25519, loaded at its first use: a host that never signs pays nothing, and one without the native library starts.</summary>
internal static class Ed25519Library
{
    private static readonly Lock Gate = new();
    private static SignatureAlgorithm? _loaded;

    /// <summary>The algorithm.</summary>
    /// <exception cref="IdentityException"><see cref="IdentityFault.LibraryMissing"/>.</exception>
    public static SignatureAlgorithm Algorithm => _loaded ?? Load(() => SignatureAlgorithm.Ed25519, keep: true);

    /// <summary>Loads it; the tests hand in a loader that fails.</summary>
    internal static SignatureAlgorithm Load(Func<SignatureAlgorithm> loader, bool keep)
    {
        lock (Gate)
        {
            if (keep && _loaded is not null) return _loaded;
            try
            {
                var algorithm = loader();
                if (keep) _loaded = algorithm;
                return algorithm;
            }
            catch (Exception fault) when (IsMissing(fault))
            {
                throw new IdentityException(
                    IdentityFault.LibraryMissing,
                    $"signatures need libsodium, and it can't be loaded on {RuntimeInformation.RuntimeIdentifier}. The NuGet package "
                        + "'libsodium' brings it for Windows, macOS and Linux "
                        + "(glibc and musl) on x64 and arm64: publish with its runtimes folder, or for your platform (-r). Elsewhere install "
                        + "libsodium, so that the name 'libsodium' can be loaded",
                    fault);
            }
        }
    }

    /// <summary>NSec checks its library in type initializers, so that the reason may lie a few exceptions deep.</summary>
    private static bool IsMissing(Exception fault)
    {
        for (var at = fault; at is not null; at = at.InnerException)
        {
            if (at is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException or PlatformNotSupportedException) return true;
        }

        return fault is TypeInitializationException;
    }
}
